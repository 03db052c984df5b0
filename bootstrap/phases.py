"""The phases of set-up: select those that must run, run them in parallel, and store their results."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bootstrap.errors import Interrupted
from bootstrap.files import write_text
from bootstrap.layout import Layout
from bootstrap.processes import Processes
from bootstrap.progress import Progress

FORMAT = 2
"""The version of toolchain.json. A file of another version counts as empty."""


@dataclass(frozen=True)
class Found:
    """The result of a phase.

    Attributes:
        summary: The version and origin, for users.
        tools: Name of a program → its absolute path. Each gets a link in `.venv/bin`.
        facts: Other results for later phases, as JSON values.
    """

    summary: str
    tools: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def is_there(self) -> bool:
        """Whether all its files still exist."""
        paths = [*self.tools.values(), *(value for key, value in self.facts.items() if key.endswith("_path") and value)]
        return all(os.path.exists(path) for path in paths)  # noqa: PTH110 - False for a file of another user, too


@dataclass(frozen=True)
class Task:
    """The context of a running phase.

    Attributes:
        layout: The folders to read and write.
        log: The phase's log file.
        detail: Shows the current step of the phase.
        say: Shows a permanent line.
        need: Waits for another phase by name and returns its result.
        processes: Runs programs.
    """

    layout: Layout
    log: Path
    detail: Callable[[str], None]
    say: Callable[[str], None]
    need: Callable[[str], Found]
    processes: Processes

    def run(self, command: Sequence[str | Path], *, fix: str, **options: Any) -> str:
        """Run a program of this phase; see `Processes.run`."""
        return self.processes.run(command, log=self.log, fix=fix, **options)


class Phase(Protocol):
    """One part of set-up."""

    name: str
    """Its key in toolchain.json."""
    title: str
    """Its name for users."""

    def inputs(self, layout: Layout) -> str:
        """Return within milliseconds a digest of everything that determines the result.

        If it is unchanged, the phase does not run.
        """

    def still_holds(self, found: Found) -> bool:
        """Whether the result of an earlier run is still valid. Called only if the inputs have not changed."""

    def run(self, task: Task) -> Found:
        """Run the phase. Skip everything that is already done."""


def which(name: str, layout: Layout) -> str | None:
    """Return the program's absolute path on PATH, without the links of set-up in `.venv/bin`."""
    ours = layout.bin.resolve()
    folders = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part and Path(part).resolve() != ours]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return None if found is None else str(Path(found).absolute())


def state_of(path: str | None) -> str:
    """Return a string that changes when the file at `path` changes."""
    if path is None:
        return "none"
    status = Path(path).stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


class Toolchain:
    """`.venv/toolchain.json`: the result of every phase, and the inputs of the result."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._phases: dict[str, dict[str, Any]] = {}
        try:
            content = json.loads(path.read_text())
            if content["format"] == FORMAT:
                self._phases = content["phases"]
        except (OSError, ValueError, KeyError, TypeError):
            self._phases = {}

    def get(self, name: str, inputs: str) -> Found | None:
        """Return the phase's result if it is from these inputs and its files still exist."""
        record = self._phases.get(name)
        if record is None or record.get("inputs") != inputs:
            return None
        found = Found(**{part.name: record[part.name] for part in dataclasses.fields(Found)})
        return found if found.is_there() else None

    def set(self, name: str, inputs: str, found: Found) -> None:
        """Store a phase's result."""
        self._phases[name] = {"inputs": inputs, **dataclasses.asdict(found)}

    def forget(self, name: str) -> None:
        """Drop a phase's result when the phase starts, however it ends."""
        self._phases.pop(name, None)

    def save(self) -> None:
        """Write the file if its folder (the virtual environment) exists."""
        if self._path.parent.is_dir():
            content = {"format": FORMAT, "phases": dict(sorted(self._phases.items()))}
            write_text(self._path, json.dumps(content, indent=2) + "\n")


def pending(phases: Sequence[Phase], layout: Layout, toolchain: Toolchain) -> dict[str, Found | None]:
    """Return each phase's result from an earlier run, or None if it must run."""
    results: dict[str, Found | None] = {}
    for phase in phases:
        found = toolchain.get(phase.name, phase.inputs(layout))
        results[phase.name] = found if found is not None and phase.still_holds(found) else None
    return results


class SideBySide:
    """Runs in parallel the phases that must run. Each waits for the phases that it needs.

    Args:
        phases: All phases, including those that do not need to run.
        layout: The folders to read and write.
        toolchain: Stores the results.
        progress: Shows the phases.
        processes: Runs the programs of the phases.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        layout: Layout,
        toolchain: Toolchain,
        progress: Progress,
        processes: Processes,
    ) -> None:
        self._phases = phases
        self._layout = layout
        self._toolchain = toolchain
        self._progress = progress
        self._processes = processes
        self._results: dict[str, Future[Found]] = {phase.name: Future() for phase in phases}

    def run(self) -> dict[str, Found]:
        """Run the phases that must run. Finished phases are stored even if another phase fails or the user interrupts.

        Raises:
            SetupError: A phase failed (the first one, if several did).
            KeyboardInterrupt: The user pressed Ctrl-C. The running phases were ended.
        """
        todo = []
        for phase in self._phases:
            found = self._toolchain.get(phase.name, phase.inputs(self._layout))
            if found is not None and phase.still_holds(found):
                self._results[phase.name].set_result(found)
            else:
                todo.append(phase)
                self._toolchain.forget(phase.name)
        self._toolchain.save()
        with ThreadPoolExecutor(max_workers=max(len(todo), 1)) as pool:
            running = [pool.submit(self._work, phase) for phase in todo]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
                if any(future.done() and future.exception() is not None for future in running):
                    self._processes.interrupt()
            except KeyboardInterrupt:
                self._progress.say("  stopping ... (finished phases are kept; run the same command again to continue)")
                self._processes.interrupt()
                raise
            finally:
                wait(running)
                self._toolchain.save()
        errors = [error for error in (future.exception() for future in running) if error is not None]
        # First the cause, then the phases that it interrupted.
        for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):
            raise error
        return {name: future.result() for name, future in self._results.items()}

    def _work(self, phase: Phase) -> None:
        result = self._results[phase.name]
        self._progress.start(phase.title)
        task = Task(
            layout=self._layout,
            log=self._layout.logs / f"{phase.name}.log",
            detail=lambda text: self._progress.detail(phase.title, text),
            say=lambda text: self._progress.say(f"          {text}"),
            need=lambda name: self._results[name].result(),
            processes=self._processes,
        )
        try:
            task.log.unlink(missing_ok=True)
            found = phase.run(task)
            self._toolchain.set(phase.name, phase.inputs(self._layout), found)
        except BaseException as error:
            self._progress.end(phase.title, "stopped" if self._processes.interrupted else "failed", "")
            # The phases that wait for this one fail with it.
            result.set_exception(error)
            raise
        self._progress.end(phase.title, "done", found.summary)
        result.set_result(found)
