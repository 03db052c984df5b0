"""A preview as text: for a terminal, and for the folded part of a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pulumi.runtime.rpc import UNKNOWN
from rich.console import Console
from rich.markup import escape

from pulumi_azureml.planning import MISSING
from release.cost.check import headline
from release.policy import findings
from release.preview.document import Override, PlannedChange, Preview

SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±", "same": "="}
_STYLES = {"create": "green", "update": "yellow", "delete": "red", "replace": "magenta", "same": "dim"}
_LONGEST = 80
_DRIFT = {
    "create": "! deleted outside of Pulumi; the update creates it again",
    "delete": "! changed outside of Pulumi",
    "same": "! changed outside of Pulumi to what the program wants",
}


def show(console: Console, preview: Preview) -> None:
    """Print the changes, or that there are none, the rules that they break, and the cost."""
    for warning in preview.warnings:
        console.print(f"[bold yellow]warning:[/] {escape(warning)}\n", highlight=False, markup=True, soft_wrap=True)
    if not preview.changes:
        console.print("No changes.")
    for change in preview.changes:
        console.print(
            f"[{_STYLES[change.operation]}]{SIGNS[change.operation]}[/] {escape(change.name)} "
            f"[dim]({change.kind})[/]{versions(change)}",
            highlight=False,
            markup=True,
        )
        for line in reasons(change):
            console.print(f"      {line}", highlight=False, soft_wrap=True)
    for note in preview.notes:
        console.print(f"[dim]{escape(note)}[/]", highlight=False, markup=True, soft_wrap=True)
    if preview.changes:
        console.print(f"\n{counts(preview.changes)}")
    if preview.policy:
        console.print()
        findings.show(console, preview.policy)
    if preview.cost:
        console.print(f"\nestimated cost: {headline(preview.cost)}", highlight=False)


def versions(change: PlannedChange) -> str:
    """Return the old and the new version with a space before them, or "" if the version does not change."""
    return f" {change.old or '(new)'} → {change.new}" if change.new and change.new != change.old else ""


def counts(changes: Sequence[PlannedChange]) -> str:
    """Return the number of changes of each operation, such as `2 to create, 1 to replace`."""
    numbers = {word: sum(each.operation == word for each in changes) for word in SIGNS}
    same = numbers.pop("same")
    parts = [f"{number} to {word}" for word, number in numbers.items() if number]
    return ", ".join([*parts, *([f"{same} to leave as changed"] if same else [])])


def reasons(change: PlannedChange) -> Iterator[str]:
    """Yield a line for each file and key that differs, and for the changes that cause this one or follow from it."""
    if change.drifted:
        yield _DRIFT.get(change.operation, "! changed outside of Pulumi; the update reverts it")
    yield from (f"+ {path}" for path in change.files.added)
    yield from (f"- {path}" for path in change.files.removed)
    yield from (f"~ {path}" for path in change.files.changed)
    origins = {each.key: _origin(each) for each in change.overrides}
    mixed = len({each.drifted for each in change.keys}) > 1
    for each in change.keys:
        theirs = " (changed outside of Pulumi)" if mixed and each.drifted else ""
        yield f"~ {each.key}: {shown(each.old)} → {shown(each.new)}{theirs}{origins.pop(each.key, '')}"
    for override in change.overrides:
        if override.key in origins:
            yield f"+ {override.key}: {shown(override.value)}{origins[override.key]}"
    for name, pipeline in dict.fromkeys((cause.name, cause.pipeline) for cause in change.because):
        yield f"  caused by {name}" + (f" in {pipeline}" if pipeline else "")
    if change.dependants:
        yield f"  causes changes in {', '.join(change.dependants)}"


def shown(value: Any) -> str:
    """Return a value on one line. A long one is cut."""
    if value is None:
        return MISSING
    if value == UNKNOWN:
        return "(known after the update)"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _origin(override: Override) -> str:
    in_file = "is not set" if override.in_file is None else f"is {shown(override.in_file)}"
    return f" ({override.set_by}; in the file it {in_file})"
