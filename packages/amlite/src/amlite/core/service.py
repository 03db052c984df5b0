"""The declaration of a service. Each folder of `amlite.services` declares it once, as `SERVICE` in its `service.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from amlite.core.platform import Platform, Work
from amlite.core.resource_types import Hook, ResourceType
from amlite.core.router import Router
from amlite.core.routing import Routes
from amlite.core.wire import Json

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """One service.

    `works` maps the names of its long-running operations to functions. `created` and `deleting` map resource types of
    other services to functions, which are called after such a resource is created and before it is deleted. `start` is
    called once, when amlite is ready, and `stop` when it no longer answers. `status` returns what the service adds to
    `amlite status`.
    """

    routes: Sequence[Routes] = ()
    types: Sequence[ResourceType] = ()
    works: Mapping[str, Work] = field(default_factory=dict)
    created: Mapping[str, Hook] = field(default_factory=dict)
    deleting: Mapping[str, Hook] = field(default_factory=dict)
    start: Callable[[Platform], Awaitable[None]] | None = None
    stop: Callable[[Platform], None] | None = None
    status: Callable[[Platform], Json] | None = None


class Services:
    """All services of amlite together. Raises ValueError if two of them bring the same route, type or operation."""

    def __init__(self, services: Sequence[Service] = ()) -> None:
        self._all = services
        self.router = Router(table for service in services for table in service.routes)
        self.types = _unique((kind.name.lower(), kind) for service in services for kind in service.types)
        self.works = _unique(pair for service in services for pair in service.works.items())
        self._created = _grouped(pair for service in services for pair in service.created.items())
        self._deleting = _grouped(pair for service in services for pair in service.deleting.items())

    async def start(self, platform: Platform) -> None:
        """Start every service that runs in the background."""
        for service in self._all:
            if service.start is not None:
                await service.start(platform)

    def stop(self, platform: Platform) -> None:
        """Let every service write what it has only in memory."""
        for service in self._all:
            if service.stop is not None:
                service.stop(platform)

    def status(self, platform: Platform) -> Json:
        """Return the status of every service that has one."""
        found: Json = {}
        for service in self._all:
            found |= service.status(platform) if service.status is not None else {}
        return found

    def created(self, kind: str) -> list[Hook]:
        """Return what to call after a resource of a type is created: the type's own function first."""
        own = self.types.get(kind.lower())
        return [*([own.created] if own and own.created else []), *self._created.get(kind.lower(), [])]

    def deleting(self, kind: str) -> list[Hook]:
        """Return what to call before a resource of a type is deleted: the type's own function last."""
        own = self.types.get(kind.lower())
        return [*self._deleting.get(kind.lower(), []), *([own.deleting] if own and own.deleting else [])]


def _unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"two services bring '{name}'")
        found[name] = value
    return found


def _grouped(pairs: Iterable[tuple[str, Hook]]) -> dict[str, list[Hook]]:
    found: dict[str, list[Hook]] = {}
    for kind, hook in pairs:
        found.setdefault(kind.lower(), []).append(hook)
    return found
