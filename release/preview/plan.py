"""Collects the preview of an update from the events of the Pulumi engine: old and new versions, and the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pulumi.automation import OpType, events

import pulumi_azureml as azureml
from pulumi_azureml.operations import CHANGED
from pulumi_azureml.planning import MISSING, explain, reference
from release.errors import ReleaseError
from release.planned import plain
from release.preview.document import Cause, Files, Key, Override, PlannedChange, Preview
from release.terminal.progress import kind

_CHANGES: dict[OpType, Literal["create", "update", "delete", "replace"]] = {
    OpType.CREATE: "create",
    OpType.UPDATE: "update",
    OpType.DELETE: "delete",
    OpType.REPLACE: "replace",
}
# Inputs of an asset that depend on other inputs, or that are not visible in Azure.
_NO_REASON = frozenset(
    (
        "__provider",
        "adopt",
        "content_hash",
        "definition",
        "existing_model",
        "files",
        "metadata",
        "overridden",
        "owner",
        "path",
        "pipeline",
        "retain",
        "trees",
        "version",
    )
)


@dataclass(frozen=True)
class _Drift:
    """How a refresh found a resource: `keys` maps each key that others changed to its deployed and its new value."""

    metadata: events.StepEventMetadata
    keys: Mapping[str, tuple[Any, Any]]


class Plan:
    """Collects a preview's changes from engine events."""

    def __init__(self) -> None:
        """Start without changes."""
        self._found: list[PlannedChange] = []
        self._notes: dict[str, None] = {}  # in the order of the events
        self._warnings: dict[str, None] = {}
        self._assets: dict[str, str] = {}  # reference to a planned version → name of its change
        self._pipelines: dict[str, str] = {}  # name of a schedule's change → file of its pipeline
        self._drift: dict[str, _Drift] = {}  # by URN

    def __call__(self, event: events.EngineEvent) -> None:
        """Take one engine event."""
        diagnostic = event.diagnostic_event
        if diagnostic and not diagnostic.ephemeral and diagnostic.message.strip():
            said = {"info": self._notes, "warning": self._warnings}.get(diagnostic.severity, {})
            said[diagnostic.message.strip()] = None
        ended, begun = event.res_outputs_event, event.resource_pre_event
        if ended and ended.metadata.op == OpType.REFRESH and _is_shown(ended.metadata):
            self._note_drift(ended.metadata)
        if begun and begun.metadata.op in _CHANGES and _is_shown(begun.metadata):
            self._note_change(begun.metadata, _CHANGES[begun.metadata.op])

    def _note_drift(self, metadata: events.StepEventMetadata) -> None:
        """Note how a refresh found a resource, if that differs from its state."""
        old, found, is_asset = _inputs(metadata.old), _inputs(metadata.new), _is_asset(metadata)
        why = explain({}, {}, _compared(old, is_asset), _compared(found, is_asset))
        # A provider may return null for a property that the state does not have.
        keys = {key: values for key, values in why.keys.items() if any(each not in (None, MISSING) for each in values)}
        if metadata.new is None:
            self._drift[metadata.urn] = _Drift(metadata, {})
        elif keys or found.get("content_hash") == CHANGED:
            self._drift[metadata.urn] = _Drift(metadata, keys)

    def _note_change(
        self, metadata: events.StepEventMetadata, operation: Literal["create", "update", "delete", "replace"]
    ) -> None:
        drift = self._drift.pop(metadata.urn, None)
        old, new, is_asset = _inputs(metadata.old), _inputs(metadata.new), _is_asset(metadata)
        changed = operation in ("update", "replace")
        why = explain(_files(old), _files(new), _compared(old, is_asset), _compared(new, is_asset))
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
                keys=[_key(key, *values, drift) for key, values in why.keys.items()] if changed else [],
                overrides=list(_overrides(new, why.keys)),
                drifted=drift is not None or old.get("content_hash") == CHANGED,
            )
        )

    @property
    def changes(self) -> list[PlannedChange]:
        """The changes so far, each with its causes and the changes that it causes.

        The last ones are resources that others changed to what the program wants. The update does not change them.
        """
        because = {each.name: list(self._causes(each)) for each in self._found}
        followers: dict[str, list[str]] = {each.name: [] for each in self._found}
        for name, causes in because.items():
            for cause in dict.fromkeys(cause.name for cause in causes):
                followers[cause].append(name)
        return [
            *(
                each.model_copy(update={"because": because[each.name], "dependants": followers[each.name]})
                for each in self._found
            ),
            *(_accepted(drift) for drift in self._drift.values()),
        ]

    def _causes(self, change: PlannedChange) -> Iterator[Cause]:
        """Yield the planned versions that a change refers to and that it did not refer to before."""
        for each in change.keys:
            for text in _texts(each.new):
                name = self._assets.get(text)
                if name is not None and name != change.name:
                    yield Cause(name=name, key=each.key, pipeline=self._pipelines.get(change.name))

    def document(self, stack: str, failure: ReleaseError | None = None) -> Preview:
        """Return the preview of a stack, or what was found until it failed. See docs/preview.schema.json."""
        return Preview(
            stack=stack,
            changes=self.changes,
            errors=[failure.message] if failure else [],
            warnings=list(self._warnings),
            notes=list(self._notes),
        )


def _files(inputs: Mapping[str, Any]) -> dict[str, str]:
    deployment = inputs.get("deployment")
    own = inputs.get("files")
    nested = deployment.get("files") if isinstance(deployment, dict) else None
    return {**(own if isinstance(own, dict) else {}), **(nested if isinstance(nested, dict) else {})}


def _compared(inputs: Mapping[str, Any], is_asset: bool) -> dict[str, Any]:
    """Return the keys to compare: an asset's YAML and the inputs of its kind, or a resource's properties."""
    if not is_asset:
        return {key: value for key, value in inputs.items() if key != "__defaults"}
    own = {key: value for key, value in inputs.items() if key not in _NO_REASON and value is not None}
    if isinstance(own.get("deployment"), dict):
        own["deployment"] = own["deployment"].get("definition", {})
    return {**inputs.get("definition", {}), **inputs.get("metadata", {}), **own}


def _overrides(inputs: Mapping[str, Any], keys: Mapping[str, tuple[Any, Any]]) -> Iterator[Override]:
    """Yield the values that the stack file sets, of the keys that differ."""
    for key, each in (inputs.get("overridden") or {}).items():
        if key in keys:
            yield Override(key=key, value=keys[key][1], set_by=each["set_by"], in_file=each.get("in_file"))


def _is_shown(metadata: events.StepEventMetadata) -> bool:
    return not metadata.type.startswith(("pulumi:", "azureml-platform:"))


def _is_asset(metadata: events.StepEventMetadata) -> bool:
    return "dynamic/azureml" in metadata.type and _asset_kind(metadata.type) is not None


def _inputs(state: events.StepEventStateMetadata | None) -> Mapping[str, Any]:
    inputs: Mapping[str, Any] = plain((state.inputs if state else None) or {})
    return inputs


def _key(key: str, old: Any, new: Any, drift: _Drift | None) -> Key:
    return Key(
        key=key,
        old=None if old == MISSING else old,
        new=None if new == MISSING else new,
        drifted=drift is not None and key in drift.keys,
    )


def _accepted(drift: _Drift) -> PlannedChange:
    """Return the entry of a resource that others changed to what the program wants."""
    return PlannedChange(
        operation="same",
        name=drift.metadata.urn.rpartition("::")[2],
        kind=kind(drift.metadata.type),
        keys=[_key(key, *values, drift) for key, values in drift.keys.items()],
        drifted=True,
    )


def _reference(token: str, inputs: Mapping[str, Any]) -> str:
    """Return the reference to a version in the workspace, or in the registry that it is shared through."""
    return reference(str(_asset_kind(token)), inputs["name"], inputs["version"], inputs.get("registry"))


def _asset_kind(token: str) -> str | None:
    """Return the kind of asset that a type of pulumi_azureml stands for. None for a type that is not an asset."""
    found: str | None = getattr(getattr(azureml, token.rpartition(":")[2], None), "kind", None)
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
