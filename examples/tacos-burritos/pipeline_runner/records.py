"""The records of runs: one folder for each, with `run.json`, the logs, and the outputs of the steps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline_runner.errors import RunnerError

Status = Literal["Pending", "Running", "Succeeded", "Failed", "Skipped"]


@dataclass
class TaskRecord:
    """A step of a run: its status, time, log, and outputs."""

    name: str
    status: Status = "Pending"
    seconds: float = 0.0
    log: str = ""
    reason: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class RunRecord:
    """A run of a version of a pipeline. `cause` is the recurring run that started it, or nothing."""

    id: str
    pipeline: str
    version: str
    engine: str
    started: str
    parameters: dict[str, Any]
    tasks: list[TaskRecord]
    status: Status = "Running"
    seconds: float = 0.0
    cause: str = ""

    def task(self, name: str) -> TaskRecord:
        """Return the record of a task."""
        return next(each for each in self.tasks if each.name == name)

    def save(self, folder: Path) -> None:
        """Write `run.json`. A reader never sees a part of it."""
        temporary = folder / "run.json.new"
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")
        temporary.replace(folder / "run.json")


def read(folder: Path) -> RunRecord:
    """Read a run.

    Raises:
        RunnerError: The folder has no run.
    """
    try:
        content = json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunnerError(f"{folder} has no record of a run: {error}") from error
    return RunRecord(**{**content, "tasks": [TaskRecord(**each) for each in content["tasks"]]})


def all_in(folder: Path) -> list[RunRecord]:
    """Return the runs in a folder, the latest first."""
    found = [read(each.parent) for each in folder.glob("*/run.json")]
    return sorted(found, key=lambda run: run.started, reverse=True)
