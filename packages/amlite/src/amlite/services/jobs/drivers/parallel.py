"""Drives a parallel job: cuts its data into mini batches and has worker processes run the user's script on each.

Started with the path of a JSON file: see `settings` in the kind `parallel`. Needs nothing but Python from 3.7, and
pandas where the data are a table. Worker processes import the script, call `init()`, and `run(mini_batch)` for one
batch at a time, or `run(mini_batch, mini_batch_context)`. A batch fails when `run` raises, or takes longer than the
timeout; then its worker is replaced and it is tried again. Its results are one for each item that was processed: the
items without one are failures.
"""

from __future__ import annotations

import csv
import importlib.util
import inspect
import io
import json
import logging
import multiprocessing
import os
import queue
import sys
import threading
import traceback
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Json = dict[str, Any]
    # The rows of a table's file with its header, if it has one.
    Rows = tuple[str, list[str], list[list[str]]]


@dataclass(frozen=True)
class Batch:
    """A mini batch: paths of files, or rows of the files of a table, and the values of the partition keys.

    `frame` has the rows if the table chooses some of its rows.
    """

    files: list[str] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    values: dict[str, str] | None = None
    frame: Any = None

    @property
    def items(self) -> int:
        """How many results are expected."""
        chosen = 0 if self.frame is None else len(self.frame)
        return chosen + len(self.files) + sum(len(rows) for _, _, rows in self.rows)


@dataclass(frozen=True)
class MiniBatchContext:
    """What `run` is told of its mini batch, by the names of Azure."""

    minibatch_index: str
    partition_key_value: dict[str, str] | None


def batches(settings: Json) -> Iterator[Batch]:
    """Yield the mini batches: one for each value of the partition keys, or else of the size."""
    table, size = settings["table"], settings["size"]
    holds_rows = table is not None and table["format"] != "files"
    if settings["groups"] is not None:
        for group in settings["groups"]:
            files = group["files"]
            rows = [part for file in files for part in _rows(file, table, sys.maxsize)] if holds_rows else []
            yield Batch([] if holds_rows else files, rows, group["values"])
        return
    if table is None:
        source = Path(settings["source"])
        files = sorted(str(path) for path in source.rglob("*") if path.is_file()) if source.is_dir() else [str(source)]
    else:
        files = table["files"]
    if holds_rows and table["whole"]:
        yield from _cut(table, size)
        return
    if holds_rows:
        for file in files:
            yield from (Batch(rows=[part]) for part in _rows(file, table, size))
        return
    for start in range(0, len(files), size):
        yield Batch(files[start : start + size])


def _cut(table: Json, size: int) -> Iterator[Batch]:
    """Yield batches of the rows that a table chooses, by the size of their texts."""
    import table_steps  # type: ignore[import-not-found] # it lies beside this driver

    found = table_steps.whole(table)
    sizes = sum((found[column].astype(str).str.len() + 1 for column in found), start=0)
    start = held = 0
    for row in range(len(found)):
        held += sizes[row]
        if held >= size or row == len(found) - 1:
            yield Batch(frame=found.iloc[start : row + 1].reset_index(drop=True))
            start, held = row + 1, 0


def _rows(file: str, table: Json, size: int) -> Iterator[Rows]:
    with Path(file).open(encoding=table["encoding"], newline="") as stream:
        reader = csv.reader(stream, delimiter=table["delimiter"])
        header = next(reader, []) if table["header"] else []
        rows: list[list[str]] = []
        held = 0
        for row in reader:
            rows.append(row)
            held += sum(map(len, row)) + len(row)
            if held >= size:
                yield file, header, rows
                rows, held = [], 0
        if rows:
            yield file, header, rows


def _given(batch: Batch, table: Json | None) -> Any:
    """Return what `run` gets: the paths, or a data frame."""
    if batch.frame is not None:
        return batch.frame
    if table is None or table["format"] == "files":
        return batch.files
    # What a script that takes tables needs in its own environment.
    import pandas as pd  # type: ignore[import-untyped]
    import table_steps  # it lies beside this driver

    frames = []
    for file, header, rows in batch.rows:
        lines = io.StringIO()
        csv.writer(lines, delimiter=table["delimiter"]).writerows([*([header] if table["header"] else []), *rows])
        lines.seek(0)
        frames.append(table_steps.read(file, table, lines))
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def lines(results: Any) -> list[str]:
    """Return the lines that a batch's results are appended as: a row of a data frame, else the item's own text."""
    if hasattr(results, "itertuples"):
        return [" ".join(map(str, row)) for row in results.itertuples(index=False)]
    return [str(item) for item in results]


def _offer_logger() -> None:
    """Let the script import `azureml_user.parallel_run.EntryScript`, whose logger writes below `logs/user`."""
    folder = Path("logs", "user")
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / f"process_{os.getpid()}.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("azureml_user.parallel_run")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    module = types.ModuleType("azureml_user.parallel_run")
    module.EntryScript = type("EntryScript", (), {"logger": logger})  # type: ignore[attr-defined]
    sys.modules.update({"azureml_user": types.ModuleType("azureml_user"), module.__name__: module})


def work(settings: Json, connection: Any) -> None:
    """Be a worker: answer each batch with (lines, ""), or (None, why it failed)."""
    sys.argv = [settings["script"], *settings["arguments"]]
    _offer_logger()
    try:
        path = Path(settings["script"]).resolve()
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location("entry_script", path)
        assert spec is not None and spec.loader is not None  # noqa: PT018, S101
        module = importlib.util.module_from_spec(spec)
        sys.modules["entry_script"] = module
        spec.loader.exec_module(module)
        if hasattr(module, "init"):
            module.init()
    except BaseException:  # noqa: BLE001 - the script's own, whatever it is
        connection.send((None, traceback.format_exc()))
        return
    connection.send(([], ""))
    takes_context = len(inspect.signature(module.run).parameters) > 1
    for number, batch in iter(connection.recv, None):
        try:
            context = [MiniBatchContext(str(number), batch.values)] if takes_context else []
            results = module.run(_given(batch, settings["table"]), *context)
            if results is None or not hasattr(results, "__len__"):
                raise TypeError(f"run() must return a list or a data frame, got {type(results).__name__}")
            connection.send((lines(results), ""))
        except BaseException:  # noqa: BLE001, PERF203
            connection.send((None, traceback.format_exc()))
    if hasattr(module, "shutdown"):
        module.shutdown()
    connection.send(([], ""))


class InitError(Exception):
    """The script cannot be imported, or its `init()` raises."""


class Worker:
    """A process that runs the script."""

    def __init__(self, settings: Json) -> None:
        """Start it and wait for `init()`."""
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=work, args=(settings, other), daemon=True)
        self._process.start()
        other.close()
        ready, why = self._receive(None)
        if ready is None:
            raise InitError(why)

    def run(self, task: tuple[int, Batch] | None, timeout: float) -> tuple[list[str] | None, str]:
        """Return a batch's lines, or None and why it failed; after the timeout this worker is dead."""
        self._connection.send(task)
        return self._receive(timeout)

    @property
    def alive(self) -> bool:
        """Whether it can take another batch."""
        return self._process.is_alive()

    def end(self) -> None:
        """Have it call `shutdown()` and end."""
        if self.alive:
            self.run(None, 60)
        self._process.kill()
        self._process.join()

    def _receive(self, timeout: float | None) -> tuple[list[str] | None, str]:
        try:
            if self._connection.poll(timeout):
                found: tuple[list[str] | None, str] = self._connection.recv()
                return found
            why = f"it took longer than {timeout:.0f} seconds"
        except EOFError:
            why = "the worker process ended"
        self._process.kill()
        self._process.join()
        return None, why


class Run:
    """The progress and failures so far, shared by the threads that each drive a worker."""

    def __init__(self, settings: Json) -> None:
        """Begin with nothing done."""
        self.settings = settings
        self.todo: queue.SimpleQueue[tuple[int, Batch]] = queue.SimpleQueue()
        for numbered in enumerate(batches(settings)):
            self.todo.put(numbered)
        self.batches = self.todo.qsize()
        self.failed_items = 0
        self.failed_batches = 0
        self.reason = ""
        self.results: dict[int, list[str]] = {}
        self._lock = threading.Lock()

    def lead(self) -> None:
        """Take batches until there are none, or too much has failed."""
        worker: Worker | None = None
        try:
            while not self.reason:
                try:
                    number, batch = self.todo.get_nowait()
                except queue.Empty:
                    break
                found, why = None, ""
                for attempt in range(1 + self.settings["retries"]):
                    if worker is None or not worker.alive:
                        worker = Worker(self.settings)
                    found, why = worker.run((number, batch), self.settings["timeout"])
                    if found is not None:
                        break
                    print(f"mini batch {number}, attempt {attempt + 1}: {why}", file=sys.stderr, flush=True)
                self.count(number, batch, found)
        except InitError as error:
            self.reason = self.reason or f"init() of {self.settings['script']} failed:\n{error}"
        finally:
            if worker is not None:
                worker.end()

    def count(self, number: int, batch: Batch, found: list[str] | None) -> None:
        """Write down a batch's end, and whether this is one failure too many."""
        with self._lock:
            self.failed_batches += found is None
            self.failed_items += max(0, batch.items - len(found or []))
            self.results[number] = found or []
            for what, failed, name in (
                ("items", self.failed_items, "error_threshold"),
                ("mini batches", self.failed_batches, "batch_error_threshold"),
            ):
                most = self.settings[name]
                if 0 <= most < failed and not self.reason:
                    public = name if name == "error_threshold" else f"mini_{name}"
                    self.reason = f"{failed} {what} failed, and {public} allows {most}"


def main() -> int:
    """Run the job; return its exit code."""
    settings: Json = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    run = Run(settings)
    workers = max(1, min(settings["workers"], run.batches))
    print(f"{run.batches} mini batches on {workers} workers", flush=True)
    threads = [threading.Thread(target=run.lead) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if run.reason:
        print(f"The parallel job was ended: {run.reason}", file=sys.stderr, flush=True)
        return 1
    if settings["results"]:
        found = [line for number in sorted(run.results) for line in run.results[number]]
        with Path(settings["results"]).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in found)
    print(f"done: {run.failed_items} items and {run.failed_batches} mini batches failed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
