"""What an update would do, as people read it: each asset old → new version, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pulumi.automation import OpType, events
from rich.console import Console

from infra.catalogue.changes import explain
from release.progress import kind

_CHANGES = {OpType.CREATE: "create", OpType.UPDATE: "update", OpType.DELETE: "delete", OpType.REPLACE: "replace"}
_SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "delete": "[red]-[/]", "replace": "[magenta]±[/]"}


@dataclass(frozen=True)
class Planned:
    """One planned change.

    Attributes:
        operation: create, update, replace or delete.
        name: the resource's name in the program.
        kind: its type, short.
        old, new: versions, where it has versions.
        files: `+ path`, `- path`, `~ path`.
        keys: changed keys of an asset's definition, or changed properties of another resource.
    """

    operation: str
    name: str
    kind: str
    old: str | None = None
    new: str | None = None
    files: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class Plan:
    """Collects a preview's changes from engine events."""

    def __init__(self) -> None:
        """Begin empty."""
        self.changes: list[Planned] = []

    def __call__(self, event: events.EngineEvent) -> None:
        """Take one engine event."""
        if not event.resource_pre_event:
            return
        metadata = event.resource_pre_event.metadata
        operation = _CHANGES.get(metadata.op)
        if operation is None or metadata.type.startswith(("pulumi:", "azureml-platform:")):
            return
        old = (metadata.old.inputs if metadata.old else None) or {}
        new = (metadata.new.inputs if metadata.new else None) or {}
        name = metadata.urn.rpartition("::")[2]
        if "dynamic/azureml" in metadata.type:
            self.changes.append(_asset(operation, name, metadata.type, old, new))
        else:
            keys = (
                [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)] if operation != "create" else []
            )
            self.changes.append(Planned(operation, name, kind(metadata.type), keys=keys))

    def print(self, console: Console) -> None:
        """Print the changes, or that there are none."""
        if not self.changes:
            console.print("No changes.")
        for change in self.changes:
            versions = f" {change.old or '(new)'} → {change.new}" if change.new else ""
            console.print(
                f"{_SIGNS[change.operation]} {change.name} [dim]({change.kind})[/]{versions}", highlight=False
            )
            for line in [*change.files, *(f"~ {key}" for key in change.keys)]:
                console.print(f"      {line}", highlight=False, markup=False)
        if self.changes:
            counts = {word: sum(c.operation == word for c in self.changes) for word in _SIGNS}
            console.print("\n" + ", ".join(f"{count} to {word}" for word, count in counts.items() if count))

    def json(self) -> str:
        """Return the changes as JSON: {"changes": [...]}, each with the fields of `Planned`."""
        return json.dumps({"changes": [asdict(change) for change in self.changes]}, indent=2)


def _asset(operation: str, name: str, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Planned:
    why = explain(
        {**old.get("files", {}), **(old.get("deployment") or {}).get("files", {})},
        {**new.get("files", {}), **(new.get("deployment") or {}).get("files", {})},
        _definition(old),
        _definition(new),
    )
    changed = operation == "update"
    files = (
        [f"+ {path}" for path in why.added]
        + [f"- {path}" for path in why.removed]
        + [f"~ {path}" for path in why.changed]
    )
    return Planned(
        operation,
        name,
        kind(token),
        old=old.get("version"),
        new=new.get("version"),
        files=files if changed else [],
        keys=[f"{key}: {before} → {after}" for key, (before, after) in why.keys.items()] if changed else [],
    )


def _definition(inputs: Mapping[str, Any]) -> dict[str, Any]:
    definition = {**inputs.get("definition", {}), **inputs.get("metadata", {})}
    if inputs.get("deployment"):
        definition["deployment"] = inputs["deployment"].get("definition", {})
    if "traffic" in inputs:
        definition["traffic"] = inputs["traffic"]
    return definition
