"""The records of runs: one folder for each, with `run.json`, the logs, and the outputs of the steps."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    """A run of a version of a pipeline. `cause` is the declared or recurring run that started it, or nothing."""

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

    def json(self) -> str:
        """Return the record as JSON, for `parse`."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def save(self, folder: Path) -> None:
        """Write `run.json`. A reader never sees a part of it."""
        temporary = folder / "run.json.new"
        temporary.write_text(self.json(), "utf-8")
        temporary.replace(folder / "run.json")


def parse(text: str) -> RunRecord:
    """Return the record that `json` returned.

    Raises:
        RunnerError: The text is not a record of a run.
    """
    try:
        content = json.loads(text)
        return RunRecord(**{**content, "tasks": [TaskRecord(**each) for each in content["tasks"]]})
    except (ValueError, TypeError, KeyError) as error:
        raise RunnerError(f"this is not the record of a run: {error}") from error


def latest_first(found: Iterable[RunRecord]) -> list[RunRecord]:
    """Return runs, the latest first."""
    return sorted(found, key=lambda run: run.started, reverse=True)
