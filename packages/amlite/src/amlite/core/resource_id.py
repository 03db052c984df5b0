"""ARM resource ids: `/subscriptions/…/resourceGroups/…/providers/Namespace/type/name/child/name`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

WITHOUT_CASE = re.IGNORECASE | re.ASCII
"""Compares paths and hosts. Without `ASCII`, a pattern takes a long s for an s, which lower case keeps apart."""
# A resource, one that extends it, and one that extends that one.
_MOST_PROVIDERS = 4
_PROVIDERS = re.compile("(?=/providers/)", WITHOUT_CASE)


@dataclass(frozen=True)
class ResourceId:
    """A parsed ARM path. With an odd number of segments after the namespace, it is a collection or an action."""

    subscription: str
    group: str | None
    namespace: str | None
    segments: tuple[str, ...]
    scope: ResourceId | None = None  # the resource that an extension resource (a role assignment) extends

    @classmethod
    def parse(cls, path: str) -> ResourceId | None:
        """Parse a path; None if it is not an ARM path. An extension resource has the extended resource as `scope`.

        Like ARM, it takes several slashes for one: `az resource show --resource-type` writes two.
        """
        path = re.sub("/{2,}", "/", path)
        if len(_PROVIDERS.findall(path)) > _MOST_PROVIDERS:
            return None
        head, marker, last = _rpartition_providers(path)
        if marker and "/providers/" in head.lower():
            scope = cls.parse(head)
            if scope is None:
                return None
            namespace, *segments = last.strip("/").split("/")
            return cls(scope.subscription, scope.group, namespace, tuple(segments), scope)
        parts = path.strip("/").split("/")
        if len(parts) < 2 or parts[0].lower() != "subscriptions":
            return None
        subscription, rest = parts[1], parts[2:]
        group = None
        if len(rest) >= 2 and rest[0].lower() == "resourcegroups":
            group, rest = rest[1], rest[2:]
        if rest and rest[0].lower() == "providers":
            if len(rest) < 2:
                return None
            return cls(subscription, group, rest[1], tuple(rest[2:]))
        return cls(subscription, group, None, tuple(rest))

    @classmethod
    def of(cls, path: str) -> ResourceId:
        """Parse a path that amlite wrote itself; ValueError if it is not an ARM path."""
        id = cls.parse(path)
        if id is None:
            raise ValueError(f"{path!r} is not an ARM path")
        return id

    @cached_property
    def type(self) -> str:
        """The resource type, such as `Microsoft.Storage/storageAccounts/blobServices`."""
        if self.namespace is None:
            kind = "resourceGroups" if self.group else "subscriptions"
            return "/".join(["Microsoft.Resources/subscriptions", *([kind] if self.group else []), *self.segments])
        return "/".join([self.namespace, *self.segments[::2]])

    @property
    def name(self) -> str:
        """The last name of the path."""
        if self.segments:
            return self.segments[-1]
        return self.group or self.subscription

    @property
    def is_collection(self) -> bool:
        """Whether the path names a collection (or an action) rather than one resource."""
        return len(self.segments) % 2 == 1

    @property
    def group_path(self) -> str:
        """`/subscriptions/…/resourceGroups/…`, or the subscription's path if there is no group."""
        base = f"/subscriptions/{self.subscription}"
        return f"{base}/resourceGroups/{self.group}" if self.group else base

    @property
    def parent(self) -> ResourceId | None:
        """The resource one level up inside the same provider, or None for a top-level one."""
        if len(self.segments) < 3:
            return None
        keep = len(self.segments) - (1 if self.is_collection else 2)
        return ResourceId(self.subscription, self.group, self.namespace, self.segments[:keep], self.scope)

    def __str__(self) -> str:
        """Return the path with `resourceGroups` and `providers` spelt as ARM spells them."""
        base = str(self.scope) if self.scope else self.group_path
        if self.namespace is None:
            return "/".join([base, *self.segments])
        return "/".join([base, "providers", self.namespace, *self.segments])


def _rpartition_providers(path: str) -> tuple[str, str, str]:
    index = max((found.start() for found in _PROVIDERS.finditer(path)), default=-1)
    if index < 0:
        return path, "", ""
    return path[:index], "/providers/", path[index + len("/providers/") :]
