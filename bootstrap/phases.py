"""The phases of set-up: which have to run, running them side by side, remembering what they found."""

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
"""Of toolchain.json; another one is read as an empty file."""


@dataclass(frozen=True)
class Found:
    """What a phase ended with.

    Attributes:
        summary: For people: version and origin.
        tools: Name of a program → its absolute path; each gets a link in `.venv/bin`.
        facts: What else later phases need to know; JSON values.
    """

    summary: str
    tools: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def is_there(self) -> bool:
        """Whether every file it names still exists."""
        paths = [*self.tools.values(), *(value for key, value in self.facts.items() if key.endswith("_path") and value)]
        return all(Path(path).exists() for path in paths)


@dataclass(frozen=True)
class Task:
    """What a phase works with while it runs.

    Attributes:
        layout: Where to read and write.
        log: The phase's log file.
        detail: Shows what the phase is doing now.
        say: Shows a line that stays.
        need: Waits for another phase by name and returns what it found.
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
    """For people."""

    def inputs(self, layout: Layout) -> str:
        """A digest of all that decides the result, in milliseconds: when it is unchanged, the phase need not run."""

    def still_holds(self, found: Found) -> bool:
        """Whether what an earlier run found is true now; asked only when the inputs are unchanged."""

    def run(self, task: Task) -> Found:
        """Bring it about; does nothing that is already done."""


def which(name: str, layout: Layout) -> str | None:
    """The program's absolute path on PATH, not counting our own links in `.venv/bin`."""
    ours = layout.bin.resolve()
    folders = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part and Path(part).resolve() != ours]
    return shutil.which(name, path=os.pathsep.join(folders))


def state_of(path: str | None) -> str:
    """A string that changes when the file at `path` does."""
    if path is None:
        return "none"
    status = Path(path).stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


class Toolchain:
    """`.venv/toolchain.json`: what every phase found, and from which inputs."""

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
        """What the phase found, when it was from these inputs and is still on disk."""
        record = self._phases.get(name)
        if record is None or record.get("inputs") != inputs:
            return None
        found = Found(**{part.name: record[part.name] for part in dataclasses.fields(Found)})
        return found if found.is_there() else None

    def set(self, name: str, inputs: str, found: Found) -> None:
        """Remember what a phase found."""
        self._phases[name] = {"inputs": inputs, **dataclasses.asdict(found)}

    def forget(self, name: str) -> None:
        """The phase begins: what was known of it no longer counts, however it ends."""
        self._phases.pop(name, None)

    def save(self) -> None:
        """Write the file, when its folder (the virtual environment) exists."""
        if self._path.parent.is_dir():
            content = {"format": FORMAT, "phases": dict(sorted(self._phases.items()))}
            write_text(self._path, json.dumps(content, indent=2) + "\n")


def pending(phases: Sequence[Phase], layout: Layout, toolchain: Toolchain) -> dict[str, Found | None]:
    """Each phase's result from an earlier run, or None when it has to run."""
    results: dict[str, Found | None] = {}
    for phase in phases:
        found = toolchain.get(phase.name, phase.inputs(layout))
        results[phase.name] = found if found is not None and phase.still_holds(found) else None
    return results


class SideBySide:
    """Runs, side by side, the phases that have something to do; each waits for those it needs.

    Args:
        phases: All phases, also those that need not run.
        layout: Where they read and write.
        toolchain: Gets what they find.
        progress: Shows them.
        processes: Runs their programs.
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
        """Run what has to run; what is finished is remembered even when another phase fails or the user interrupts.

        Raises:
            SetupError: A phase failed (the first one, when several do).
            KeyboardInterrupt: The user pressed Ctrl-C; the phases at work were ended.
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
                self._progress.say("  stopping ... (what is finished is kept; run the same command again to go on)")
                self._processes.interrupt()
                raise
            finally:
                wait(running)
                self._toolchain.save()
        errors = [error for error in (future.exception() for future in running) if error is not None]
        # The cause before those that were only interrupted by it.
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
            # Whoever waits for this phase fails with it.
            result.set_exception(error)
            raise
        self._progress.end(phase.title, "done", found.summary)
        result.set_result(found)
