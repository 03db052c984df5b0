"""Resource types: a service uses them to describe its resources to ARM, which stores the resources.

A service folder lists its `TYPES`, and `amlite.services.arm` serves all of them in the same way: naming rules, required
properties, long-running creation, properties that the service adds to a body, and the effects of a deletion.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amlite.core import regions
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json

# (platform, id, wanted body, stored body or None) -> the body to store
Prepare = Callable[[Platform, ResourceId, Json, Json | None], Json]
Hook = Callable[[Platform, ResourceId], Awaitable[None]]
# (platform, who changes, id, wanted body, stored body)
Change = Callable[[Platform, Principal, ResourceId, Json, Json], None]
Names = Callable[[Platform, Json], Iterator[tuple[str, str]]]
Action = Callable[[Platform, ResourceId, Json], Awaitable[Any]]


@dataclass(frozen=True)
class ResourceType:
    """A resource type of a service."""

    name: str  # Microsoft.Storage/storageAccounts
    pattern: str = r"[\w.()-]{1,90}"  # Azure's naming rule
    rule: str = ""  # the same in words, for the error
    located: bool = True  # tracked resources must have a location
    required: tuple[str, ...] = ()  # dotted paths that the body of a PUT must have
    globally_unique: bool = False  # the name is part of a host name
    taken: tuple[str, str] = ("AlreadyExists", "The name '{name}' is already in use.")  # the code and text of that 409
    retention: Callable[[Json], dt.timedelta] | None = None  # the retention period after deletion, by the body
    purges_by: str = ""  # the query parameter with which DELETE purges, even if the resource is soft-deleted
    lists_deleted: bool = False  # a subscription's list includes soft-deleted resources
    tag: str = ""  # the field of the body that has the entity tag
    asynchronous: bool = False  # PUT and DELETE respond with polling headers
    deleted_at_once: bool = False  # but DELETE responds when the resource is gone
    creation: int = 201  # the status of the response to a creation, one that clients accept; 202 has no body
    linked: Mapping[str, str] | None = None  # paths in a body that name other resources -> the action: see `links`
    names: Names | None = None  # yields what a body names in another way, with the action that its writer needs there
    check_change: Change | None = None  # raises AzureError if the caller may not make a change, although it may write
    written: Callable[[Platform, Principal, ResourceId], None] | None = None  # keeps who wrote it, to act as them later
    prepare: Prepare | None = None  # adds the service's own properties before a body is stored
    created: Hook | None = None  # work done before the resource is Succeeded
    check_deletion: Callable[[Platform, ResourceId, Json], None] | None = None  # raises AzureError to prevent it
    deleting: Hook | None = None  # work done before it is deleted, after its children are deleted
    listed: Callable[[list[Json], Mapping[str, str]], list[Json]] | None = None  # filters a list by the query
    actions: Mapping[str, Action] | None = None  # POST actions by lower-case name

    def check_name(self, name: str) -> None:
        """Raise Azure's 400 if the name breaks the type's naming rule."""
        if re.fullmatch(self.pattern, name) is None:
            raise AzureError(
                400,
                "InvalidResourceName",
                f"The resource name '{name}' of type '{self.name}' is invalid. {self.rule or 'Rule: ' + self.pattern}",
            )

    def check_body(self, body: Json) -> None:
        """Raise Azure's 400 for a wrong location, a missing property, and envelope fields of the wrong type."""
        for key, wanted in (("location", str), ("properties", dict), ("tags", dict)):
            if not isinstance(body.get(key), wanted | None):
                raise AzureError(
                    400, "InvalidRequestContent", f"'{key}' must be {'a string' if wanted is str else 'an object'}."
                )
        if self.located and not body.get("location"):
            raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
        if body.get("location"):
            regions.require(body["location"], self.name)
        missing = [path for path in self.required if _dig(body, path) in (None, "")]
        if missing:
            raise AzureError(
                400, "InvalidRequestContent", f"The request is missing required properties: {', '.join(missing)}."
            )

    def links(self, body: Json) -> Iterator[tuple[str, str]]:
        """Yield the resources that a body names, each with the action that its writer needs there.

        A path leads through every item of a list, and `*` through every value of an object. An action that does not
        begin with a provider, such as `write`, is one on the type of the resource.
        """
        for path, action in (self.linked or {}).items():
            for each in _values(body, path.split(".")):
                id = ResourceId.parse(each) if isinstance(each, str) else None
                if id is not None:
                    yield str(id), action if action.startswith("Microsoft.") else f"{id.type}/{action}"


def _dig(body: Json, path: str) -> Any:
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _values(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict):
        for each in value.values() if path[0] == "*" else [value.get(path[0])]:
            yield from _values(each, path[1:])
