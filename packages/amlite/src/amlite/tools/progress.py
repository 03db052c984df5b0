"""What a person sees while tools are brought: on a terminal a moving line each, elsewhere a plain line now and then."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_QUIET_SECONDS = 10.0


class ToolProgress:
    """Shows, on standard error, what each tool is doing."""

    def __init__(self) -> None:
        """Nothing is shown before a tool says something."""
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
        """Take the moving lines away."""
        self._lines.stop()

    def say(self, name: str, doing: str) -> None:
        """Say what a tool is doing now."""
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._lines.add_task(name, total=None, doing="")
            self._lines.update(self._tasks[name], doing=doing)
        elif time.monotonic() - self._told.get(name, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._told[name] = time.monotonic()
            self._console.print(f"{name}: {doing}", markup=False)

    def end(self, name: str, outcome: str) -> None:
        """Say what came of a tool that had something to say."""
        if name in self._tasks:
            self._lines.remove_task(self._tasks.pop(name))
        if self._told.pop(name, None) is not None:
            self._console.print(f"{name}: {outcome}", markup=False)
