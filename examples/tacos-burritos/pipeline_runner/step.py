"""A step that is ready to run, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """A step with all its values.

    Attributes:
        task: Name of the task.
        run: Id of the run.
        image: Reference of the image.
        command: Command line. `mounts` says which paths in it belong to the container.
        environment: Variables of the container.
        mounts: Folders and files of this machine, by their paths in the container. Files cannot be changed.
        cpus: Limit in CPUs, or None.
        memory: Limit in bytes, or None.
    """

    task: str
    run: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: Mapping[str, Path]
    cpus: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Outcome:
    """The exit code of a step, and what the engine knows about its end, if the code does not say it."""

    code: int
    reason: str = ""


class Engine(Protocol):
    """Runs steps."""

    @property
    def label(self) -> str:
        """A description for people."""

    def prepare(self, image: str, say: Say) -> None:
        """Make an image ready. Raises RunnerError."""

    def run(self, step: Step, line: Say) -> Outcome:
        """Run a step to its end. `line` gets each line of its output. Raises RunnerError if it cannot start."""
