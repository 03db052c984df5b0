"""What an update would do, as people and pull request bots read it: each asset old → new version, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pulumi.automation import OpType, events
from pulumi.runtime.rpc import UNKNOWN
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.markup import escape

from pulumi_azureml.operations.ownership import CHANGED
from pulumi_azureml.planning.assets import reference
from pulumi_azureml.planning.changes import MISSING, explain
from release.terminal.progress import kind

_CHANGES: dict[OpType, Literal["create", "update", "delete", "replace"]] = {
    OpType.CREATE: "create",
    OpType.UPDATE: "update",
    OpType.DELETE: "delete",
    OpType.REPLACE: "replace",
}
_SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "delete": "[red]-[/]", "replace": "[magenta]±[/]"}
# Inputs of an asset that follow from others, or that nothing in Azure shows.
_NO_REASON = frozenset(
    (
        "__provider",
        "adopt",
        "content_hash",
        "definition",
        "files",
        "metadata",
        "owner",
        "path",
        "pipeline",
        "retain",
        "trees",
        "version",
    )
)
_LONGEST = 80


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Files(_Document):
    """Files of an asset, relative to the project; a folder (`src/`) stands for its files where there are many."""

    added: list[str] = Field(default_factory=list, description="In the tree, and not in the deployed version.")
    removed: list[str] = Field(default_factory=list, description="In the deployed version, and no longer in the tree.")
    changed: list[str] = Field(default_factory=list, description="With other content.")


class Key(_Document):
    """A key with another value."""

    key: str = Field(description="The key in the YAML, or the resource's property; nested keys dotted.")
    old: Any = Field(description="Its value now: as deployed, or as a refresh found it in Azure. Null: not set.")
    new: Any = Field(description="Its value after the update. Null: not set.")


class Cause(_Document):
    """Why something follows: it names an asset, which gets another version."""

    name: str = Field(description="The change that it follows, by that one's `name`.")
    key: str = Field(description="Where it names it, as in `Key`: for a schedule, the step of its pipeline.")
    pipeline: str | None = Field(
        default=None, description="The pipeline's file that stands between them: a schedule owns what it starts."
    )


class PlannedChange(_Document):
    """One planned change of a resource."""

    operation: Literal["create", "update", "delete", "replace"] = Field(description="What is done to it.")
    name: str = Field(description="Its name in the program, such as `component-prep`.")
    kind: str = Field(description="Its type, short, such as `azureml:Component`.")
    old: str | None = Field(default=None, description="Deployed version; null for what has none or is new.")
    new: str | None = Field(default=None, description="Planned version; null for what has none or is deleted.")
    files: Files = Field(default_factory=Files, description="Why its content differs: files.")
    keys: list[Key] = Field(default_factory=list, description="Why it differs: keys. Of secrets, the value is hidden.")
    drifted: bool = Field(
        default=False, description="Somebody else changed it in Azure, as a refresh found; the update sets it back."
    )
    because: list[Cause] = Field(default_factory=list, description="The changes that it follows.")
    dependants: list[str] = Field(default_factory=list, description="The changes that follow it, by their `name`.")


class Preview(_Document):
    """What `release preview --output json` prints."""

    preview_version: Literal[1] = Field(
        default=1, description="Version of this format; a breaking change counts it up."
    )
    changes: list[PlannedChange] = Field(
        description="In the order in which they are done. Empty: there is nothing to do."
    )


class Plan:
    """Collects a preview's changes from engine events."""

    def __init__(self) -> None:
        """Begin empty."""
        self._found: list[PlannedChange] = []
        self._assets: dict[str, str] = {}  # how others name a planned version → the change's name
        self._pipelines: dict[str, str] = {}  # the name of a schedule's change → its pipeline's file

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
        changed = operation in ("update", "replace")
        is_asset = "dynamic/azureml" in metadata.type
        why = explain(_files(old), _files(new), _said(old, is_asset), _said(new, is_asset))
        name = metadata.urn.rpartition("::")[2]
        if is_asset and operation != "delete":
            self._assets[_reference(metadata.type, new)] = name
        if new.get("pipeline"):
            self._pipelines[name] = new["pipeline"]
        files = Files(added=list(why.added), removed=list(why.removed), changed=list(why.changed))
        self._found.append(
            PlannedChange(
                operation=operation,
                name=name,
                kind=kind(metadata.type),
                old=old.get("version") if is_asset else None,
                new=new.get("version") if is_asset else None,
                files=files if changed else Files(),
                keys=[_key(key, *values) for key, values in why.keys.items()] if changed else [],
                drifted=old.get("content_hash") == CHANGED,
            )
        )

    @property
    def changes(self) -> list[PlannedChange]:
        """The changes so far, each with those that it follows and those that follow it."""
        because = {each.name: list(self._causes(each)) for each in self._found}
        followers: dict[str, list[str]] = {each.name: [] for each in self._found}
        for name, causes in because.items():
            for cause in dict.fromkeys(cause.name for cause in causes):
                followers[cause].append(name)
        return [
            each.model_copy(update={"because": because[each.name], "dependants": followers[each.name]})
            for each in self._found
        ]

    def _causes(self, change: PlannedChange) -> Iterator[Cause]:
        """Yield the planned versions that a change names and did not name before."""
        for each in change.keys:
            for text in _texts(each.new):
                name = self._assets.get(text)
                if name is not None and name != change.name:
                    yield Cause(name=name, key=each.key, pipeline=self._pipelines.get(change.name))

    def print(self, console: Console) -> None:
        """Print the changes, or that there are none."""
        changes = self.changes
        if not changes:
            console.print("No changes.")
        for change in changes:
            versions = f" {change.old or '(new)'} → {change.new}" if change.new and change.new != change.old else ""
            console.print(
                f"{_SIGNS[change.operation]} {escape(change.name)} [dim]({change.kind})[/]{versions}",
                highlight=False,
                markup=True,
            )
            for line in _reasons(change):
                console.print(f"      {line}", highlight=False, soft_wrap=True)
        if changes:
            counts = {word: sum(each.operation == word for each in changes) for word in _SIGNS}
            console.print("\n" + ", ".join(f"{count} to {word}" for word, count in counts.items() if count))

    def json(self) -> str:
        """Return the changes as JSON; docs/preview.schema.json describes it."""
        return Preview(changes=self.changes).model_dump_json(indent=2)


def _files(inputs: Mapping[str, Any]) -> dict[str, str]:
    deployment = inputs.get("deployment")
    own = inputs.get("files")
    nested = deployment.get("files") if isinstance(deployment, dict) else None
    return {**(own if isinstance(own, dict) else {}), **(nested if isinstance(nested, dict) else {})}


def _said(inputs: Mapping[str, Any], is_asset: bool) -> dict[str, Any]:
    """Return what is compared key by key: an asset's YAML and its kind's own inputs, or a resource's properties."""
    if not is_asset:
        return {key: value for key, value in inputs.items() if key != "__defaults"}
    own = {key: value for key, value in inputs.items() if key not in _NO_REASON and value is not None}
    if isinstance(own.get("deployment"), dict):
        own["deployment"] = own["deployment"].get("definition", {})
    return {**inputs.get("definition", {}), **inputs.get("metadata", {}), **own}


def _key(key: str, old: Any, new: Any) -> Key:
    return Key(key=key, old=None if old == MISSING else old, new=None if new == MISSING else new)


def _reference(token: str, inputs: Mapping[str, Any]) -> str:
    """Return how others name a version, of the workspace or of the registry that it is shared in."""
    from pulumi_azureml.kinds import MANAGED

    class_name = token.rpartition(":")[2]
    kind_name = next(name for name, each in MANAGED.items() if each.resource.__name__ == class_name)
    return reference(kind_name, inputs["name"], inputs["version"], inputs.get("registry"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _reasons(change: PlannedChange) -> Iterator[str]:
    if change.drifted:
        yield "! changed in Azure by somebody else; the update sets it back"
    yield from (f"+ {path}" for path in change.files.added)
    yield from (f"- {path}" for path in change.files.removed)
    yield from (f"~ {path}" for path in change.files.changed)
    for each in change.keys:
        yield f"~ {each.key}: {_shown(each.old)} → {_shown(each.new)}"
    for name, pipeline in dict.fromkeys((cause.name, cause.pipeline) for cause in change.because):
        yield f"  follows {name}" + (f" by {pipeline}" if pipeline else "")
    if change.dependants:
        yield f"  followed by {', '.join(change.dependants)}"


def _shown(value: Any) -> str:
    if value is None:
        return MISSING
    if value == UNKNOWN:
        return "(known after the update)"
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
