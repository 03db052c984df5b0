"""The resources that a preview compares: as they are deployed, and as they would be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.automation import OpType, events

from policy.subject import SECRET

# How the engine marks what is no plain value in its events, and what says that it is a secret. The value is masked.
_MARK, _IS_SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
# The steps of a replacement. The step `replace`, which the engine reports too, has both states.
_PARTS_OF_REPLACEMENT = (OpType.CREATE_REPLACEMENT, OpType.DELETE_REPLACED, OpType.DISCARD_REPLACED)


@dataclass(frozen=True)
class PlannedResource:
    """A resource of the program.

    Attributes:
        type: The type token.
        name: The name in the program.
        before: The deployed inputs, or None if the resource is new.
        after: The inputs after the update, or None if the update deletes the resource.
        protected: Whether Pulumi will protect it from deletion.
    """

    type: str
    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    protected: bool = False


class PlannedResources:
    """Collects the resources of a preview from engine events."""

    def __init__(self) -> None:
        """Start without resources."""
        self._found: dict[str, PlannedResource] = {}

    def __call__(self, event: events.EngineEvent) -> None:
        """Take one engine event."""
        metadata = event.resource_pre_event.metadata if event.resource_pre_event else None
        if metadata is None or metadata.op in (*_PARTS_OF_REPLACEMENT, OpType.REFRESH, OpType.READ):
            return
        new = metadata.new if metadata.op is not OpType.DELETE else None
        self._found[metadata.urn] = PlannedResource(
            type=metadata.type,
            name=metadata.urn.rpartition("::")[2],
            before=plain(metadata.old.inputs or {}) if metadata.old else None,
            after=plain(new.inputs or {}) if new else None,
            protected=bool(new and new.protect),
        )

    @property
    def resources(self) -> list[PlannedResource]:
        """The resources so far, in the order of the engine."""
        return list(self._found.values())


def plain(value: Any) -> Any:
    """Return inputs of an event with `[secret]` in place of each Pulumi secret."""
    if isinstance(value, Mapping):
        if value.get(_MARK) == _IS_SECRET:
            return SECRET
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
