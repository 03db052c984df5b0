"""The progress of an update."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pulumi.automation import OpType, events
from rich.console import Console
from rich.markup import escape

# The engine's warning about an interrupted update. Its advice does not apply, because our provider can read the result.
_INTERRUPTION_WARNING = "Attempting to deploy or update resources with"
_INTERRUPTED = re.compile(r"urn:\S*::([^\s,]+), interrupted")
_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)(: |$)")
_SHOWN = {
    OpType.CREATE: ("+", "created", "green"),
    OpType.UPDATE: ("~", "updated", "yellow"),
    OpType.DELETE: ("-", "deleted", "red"),
    OpType.REPLACE: ("±", "replaced", "magenta"),
    OpType.CREATE_REPLACEMENT: ("+", "created (replacement)", "magenta"),
    OpType.DELETE_REPLACED: ("-", "deleted (replaced)", "red"),
}


class UpdateProgress:
    """Prints a line with the duration of each resource operation, and the engine's messages."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self._console = console
        self._began: dict[str, float] = {}
        self._in_traceback = False

    def __call__(self, event: events.EngineEvent) -> None:
        """Take one engine event."""
        if event.resource_pre_event:
            self._began[event.resource_pre_event.metadata.urn] = time.monotonic()
        elif event.res_outputs_event:
            metadata = event.res_outputs_event.metadata
            if metadata.op in _SHOWN and not metadata.type.startswith(("pulumi:", "azureml-platform:")):
                sign, word, colour = _SHOWN[metadata.op]
                took = time.monotonic() - self._began.get(metadata.urn, time.monotonic())
                name = metadata.urn.rpartition("::")[2]
                self._console.print(
                    f"  [{colour}]{sign}[/] {escape(name)} [dim]({kind(metadata.type)})[/] {word} [dim]{took:.1f} s[/]",
                    markup=True,
                )
        elif event.diagnostic_event and event.diagnostic_event.severity in ("warning", "info#err", "info"):
            message = event.diagnostic_event.message.strip()
            if message.startswith(_INTERRUPTION_WARNING):
                names = ", ".join(sorted(set(_INTERRUPTED.findall(message))))
                message = f"an earlier update was interrupted at {names}; this update reads their state and continues"
            if not event.diagnostic_event.ephemeral:
                for line in self._without_frames(message):
                    self._console.print(f"  {line}", style="dim", highlight=False)

    def _without_frames(self, message: str) -> Iterator[str]:
        """Yield the lines of a message. Of a traceback, which may come line by line, only the last line stays."""
        for line in message.splitlines():
            if line.startswith(_TRACEBACK):
                self._in_traceback = True
            elif self._in_traceback and not _EXCEPTION.match(line):
                continue
            else:
                self._in_traceback = False
                yield line


class Phases:
    """Times the phases of a run, and prints each when it starts and ends."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self._console = console
        self.took: list[tuple[str, float]] = []

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Time a phase."""
        self._console.print(f"\n{title}", style="bold")
        began = time.monotonic()
        yield
        self.took.append((title, time.monotonic() - began))
        self._console.print(f"  {self.took[-1][1]:.1f} s", style="dim")


def kind(token: str) -> str:
    """Return the short form of a resource type token, such as `azureml:Component` or `storage:StorageAccount`."""
    provider, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    module = module.partition("/")[2] if provider == "pulumi-python" else module.partition("/")[0]
    return f"{provider if module in ('', 'index') else module}:{name}"
