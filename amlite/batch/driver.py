"""Scores files with a deployment's script: `init()` once in each process, `run(mini_batch)` on a few files at a time.

It runs inside the deployment's environment, beside the script, and so uses nothing but the standard library. What `run`
returns, a list or a DataFrame, is appended to one file, a DataFrame's rows without header and separated by spaces. A
mini batch whose `run` raises, ends its process or takes too long is tried again; files for which nothing came back in
the end count as failed, and more of them than the error threshold allows fail the job.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import logging
import multiprocessing
import multiprocessing.connection
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

SUMMARY_ONLY = "SummaryOnly"
_PATIENCE_SECONDS = 10.0
_LOG = logging.getLogger("batch")


class Abort(Exception):  # noqa: N818 - a way for the job to end
    """Why scoring cannot go on."""


class MiniBatch:
    """Some of the files, and how often they were tried."""

    def __init__(self, number: int, files: list[str]) -> None:
        self.number = number
        self.files = files
        self.tries = 0


class Worker:
    """A process with the script in it. It is starting until `ready`, and busy while it has a mini batch."""

    def __init__(self, options: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(options.script, options.logging_level, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.batch: MiniBatch | None = None
        self.deadline = 0.0

    def take(self, batch: MiniBatch, seconds: float) -> None:
        """Begin a mini batch."""
        batch.tries += 1
        self.batch, self.deadline = batch, time.monotonic() + seconds
        self.connection.send(batch.files)

    def leave(self) -> None:
        """Let the process end by itself, with what it still has to print."""
        self.connection.close()
        self.process.join(_PATIENCE_SECONDS)

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def work(script: str, level: str, connection: Any) -> None:
    """Load the script in this process and run it on what comes through the connection, until that is closed."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        module = load(Path(script))
        if hasattr(module, "init"):
            module.init()
    except BaseException as error:  # noqa: BLE001 - a script may even exit
        traceback.print_exc()
        connection.send(("broken", f"{type(error).__name__}: {error}"))
        return
    connection.send(("ready", None))
    while True:
        try:
            files = connection.recv()
        except EOFError:
            return
        try:
            result = rows(module.run(files))
        except Exception as error:  # noqa: BLE001 - whatever the script raises is a failed try
            traceback.print_exc()
            connection.send(("failed", f"{type(error).__name__}: {error}"))
        else:
            connection.send(("done", result))


def load(script: Path) -> Any:
    """Import the scoring script; the modules beside it can be imported by it."""
    sys.path.insert(0, str(script.resolve().parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise ImportError(f"{script} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    if not hasattr(module, "run"):
        raise AttributeError(f"the scoring script {script.name} has no function run(mini_batch)")
    return module


def rows(result: Any) -> tuple[int, str]:
    """Return how many results `run` returned, and their lines; raises TypeError for what is no list of results."""
    if hasattr(result, "to_csv") and hasattr(result, "columns"):
        return len(result), result.to_csv(header=False, index=False, sep=" ")
    if not isinstance(result, (list, tuple)) and not hasattr(result, "tolist"):
        raise TypeError(f"run() must return a list or a pandas DataFrame, not {type(result).__name__}")
    return len(result), "".join(f"{item}\n" for item in result)


def score(options: argparse.Namespace, files: list[str], output: TextIO | None) -> None:
    """Run the script over the files; raises Abort when it cannot be loaded or too much failed."""
    size = options.mini_batch_size
    batches = [MiniBatch(start // size + 1, files[start : start + size]) for start in range(0, len(files), size)]
    waiting = collections.deque(batches)
    tally = Tally(options, len(batches), waiting, output)
    workers = [Worker(options) for _ in range(min(options.processes, len(batches)))]
    try:
        while waiting or any(worker.batch for worker in workers):
            for worker in workers:
                if worker.ready and worker.batch is None and waiting:
                    worker.take(waiting.popleft(), options.timeout)
            _listen(workers, tally)
            now = time.monotonic()
            for place, worker in enumerate(workers):
                if worker.batch is not None and now > worker.deadline:
                    _replace(workers, place, options)
                    tally.failed(worker.batch, f"it took longer than {options.timeout:g} seconds")
        for worker in workers:
            worker.leave()
    finally:
        for worker in workers:
            worker.end()
    _LOG.info("%d files, %d failed", len(files), tally.failures)


def _listen(workers: list[Worker], tally: Tally) -> None:
    """Wait until a process has something to say or its time is up, and write down what it says."""
    deadlines = [worker.deadline for worker in workers if worker.batch is not None]
    timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
    heard = multiprocessing.connection.wait([worker.connection for worker in workers], timeout)
    for place, worker in enumerate(workers):
        if worker.connection not in heard:
            continue
        try:
            kind, content = worker.connection.recv()
        except (EOFError, ConnectionError):
            batch = worker.batch
            if batch is None:
                raise Abort("the process of the scoring script ended before its first mini batch") from None
            _replace(workers, place, tally.options)
            tally.failed(batch, f"its process ended with exit code {worker.process.exitcode}")
            continue
        batch, worker.batch = worker.batch, None
        if kind == "broken":
            raise Abort(f"init() of the scoring script failed: {content}")
        if kind == "ready":
            worker.ready = True
        elif batch is not None and kind == "done":
            tally.done(batch, *content)
        elif batch is not None:
            tally.failed(batch, content)


def _replace(workers: list[Worker], place: int, options: argparse.Namespace) -> None:
    workers[place].end()
    workers[place] = Worker(options)


class Tally:
    """What came of the mini batches."""

    def __init__(
        self,
        options: argparse.Namespace,
        total: int,
        waiting: collections.deque[MiniBatch],
        output: TextIO | None,
    ) -> None:
        self.options = options
        self.failures = 0
        self._total = total
        self._waiting = waiting
        self._output = output

    def done(self, batch: MiniBatch, count: int, lines: str) -> None:
        """Append a mini batch's results."""
        _LOG.info("mini batch %d of %d: %d files, %d results", batch.number, self._total, len(batch.files), count)
        if self._output is not None:
            self._output.write(lines)
        self._lose(max(0, len(batch.files) - count))

    def failed(self, batch: MiniBatch, why: str) -> None:
        """Try a mini batch again, or give it up."""
        again = batch.tries <= self.options.max_retries
        end = "it is tried again" if again else "it is given up"
        _LOG.warning("mini batch %d of %d failed: %s; %s", batch.number, self._total, why, end)
        if again:
            self._waiting.append(batch)
        else:
            self._lose(len(batch.files))

    def _lose(self, count: int) -> None:
        self.failures += count
        if 0 <= self.options.error_threshold < self.failures:
            raise Abort(
                f"{self.failures} files failed, which is more than the error threshold of "
                f"{self.options.error_threshold} allows"
            )


def show_model(path: Path, name: str) -> Path:
    """Return the folder that AZUREML_MODEL_DIR names: a model that is a folder lies in it under its own name."""
    if not name:
        return path
    root = Path("azureml-models").resolve()
    root.mkdir(exist_ok=True)
    link = root / name
    if not link.exists():
        link.symlink_to(path, target_is_directory=True)
    return root


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Score files in mini batches.")
    for name in ("script", "data", "score", "output-action", "output-file-name", "logging-level"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--model-name", default="")
    for name in ("mini-batch-size", "processes", "error-threshold", "max-retries"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--timeout", type=float, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Score all that is below the data folder; return the exit code."""
    options = parse(arguments)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    target = Path(options.score)
    os.environ["AZUREML_BI_OUTPUT_PATH"] = str(target)
    if options.model:
        os.environ["AZUREML_MODEL_DIR"] = str(show_model(Path(options.model), options.model_name))
    files = sorted(str(path) for path in Path(options.data).rglob("*") if path.is_file())
    try:
        if not files:
            raise Abort(f"there is no file in the input {options.data}")
        if options.output_action == SUMMARY_ONLY:
            score(options, files, None)
        else:
            with (target / options.output_file_name).open("w", encoding="utf-8") as output:
                score(options, files, output)
    except Abort as error:
        sys.stderr.write(f"Batch scoring failed: {error}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
