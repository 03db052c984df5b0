"""The progress of installations: one moving line per tool on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_QUIET_SECONDS = 10.0


class ToolProgress:
    """Shows the current step of each tool on standard error."""

    def __init__(self) -> None:
        """Show nothing until a tool reports a step."""
        self._console = Console(stderr=True, highlight=False)
        self._lines = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[doing]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Show lines from now on."""
        self._lines.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the moving lines."""
        self._lines.stop()

    def say(self, name: str, doing: str) -> None:
        """Report the current step of a tool."""
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._lines.add_task(name, total=None, doing="")
            self._lines.update(self._tasks[name], doing=doing)
        elif time.monotonic() - self._told.get(name, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._told[name] = time.monotonic()
            self._console.print(f"{name}: {doing}", markup=False)

    def end(self, name: str, outcome: str) -> None:
        """Report the outcome for a tool that reported a step."""
        if name in self._tasks:
            self._lines.remove_task(self._tasks.pop(name))
        if self._told.pop(name, None) is not None:
            self._console.print(f"{name}: {outcome}", markup=False)
