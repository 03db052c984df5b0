"""What a service brings. Each folder of `amlite.services` says it once, as `SERVICE` in its `service.py`."""

from __future__ import annotations

from collections import defaultdict
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

    `works` are what its long-running operations do, by name. `created` and `deleting` are what it does in addition when
    a resource of another service's type is created or goes. `start` is called once, when amlite is ready; `status` is
    what `amlite status` shows of it.
    """

    routes: Sequence[Routes] = ()
    types: Sequence[ResourceType] = ()
    works: Mapping[str, Work] = field(default_factory=dict)
    created: Mapping[str, Hook] = field(default_factory=dict)
    deleting: Mapping[str, Hook] = field(default_factory=dict)
    start: Callable[[Platform], Awaitable[None]] | None = None
    status: Callable[[Platform], Json] | None = None


class Services:
    """The services of one amlite, and what they bring together. Raises ValueError where two bring the same."""

    def __init__(self, services: Sequence[Service] = ()) -> None:
        self._all = services
        self.router = Router(table for service in services for table in service.routes)
        self.types = _unique((kind.name.lower(), kind) for service in services for kind in service.types)
        self.works = _unique(pair for service in services for pair in service.works.items())
        self._created = _grouped(pair for service in services for pair in service.created.items())
        self._deleting = _grouped(pair for service in services for pair in service.deleting.items())

    async def start(self, platform: Platform) -> None:
        """Begin what runs for as long as amlite does."""
        for service in self._all:
            if service.start is not None:
                await service.start(platform)

    def status(self, platform: Platform) -> Json:
        """Return what the services say about themselves."""
        found: Json = {}
        for service in self._all:
            found |= service.status(platform) if service.status is not None else {}
        return found

    def created(self, kind: str) -> list[Hook]:
        """Return what is done when a resource of a type is created: by the type itself, then by other services."""
        own = self.types.get(kind.lower())
        return [*([own.created] if own and own.created else []), *self._created[kind.lower()]]

    def deleting(self, kind: str) -> list[Hook]:
        """Return what is done before a resource of a type goes: by other services, then by the type itself."""
        own = self.types.get(kind.lower())
        return [*self._deleting[kind.lower()], *([own.deleting] if own and own.deleting else [])]


def _unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"two services bring '{name}'")
        found[name] = value
    return found


def _grouped(pairs: Iterable[tuple[str, Hook]]) -> Mapping[str, list[Hook]]:
    found: defaultdict[str, list[Hook]] = defaultdict(list)
    for kind, hook in pairs:
        found[kind.lower()].append(hook)
    return found
