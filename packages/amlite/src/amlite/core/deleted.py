"""Soft-deleted resources, which a service keeps until their retention period ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from amlite.core.clock import Clock
from amlite.core.store import Document, Store
from amlite.core.wire import Json

_PREFIX = "deleted"


@dataclass(frozen=True)
class DeletedResource:
    """A soft-deleted resource: its envelope, the time of its deletion, and the time of its purge."""

    body: Json
    deleted: dt.datetime
    purged: dt.datetime


class Deleted:
    """The soft-deleted resources of one platform, without those whose retention period has ended."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Keep them in `store`, for retention periods by `clock`."""
        self._store = store
        self._clock = clock

    def keep(self, body: Json, retention: dt.timedelta) -> None:
        """Store the envelope of a resource that is being deleted."""
        now = self._clock.now()
        times = {"deleted": now.isoformat(), "purged": (now + retention).isoformat()}
        self._store.put(f"{_PREFIX}{body['id']}", f"{_PREFIX}/{body['type']}", {"resource": body, **times})

    def get(self, id: str) -> DeletedResource | None:
        """Return the soft-deleted resource with an id, or None."""
        document = self._store.get(f"{_PREFIX}{id}")
        return self._kept(document) if document is not None else None

    def of_type(self, type: str) -> Iterator[DeletedResource]:
        """Yield every soft-deleted resource of a type, oldest first."""
        yield from filter(None, map(self._kept, self._store.of_type(f"{_PREFIX}/{type}")))

    def named(self, type: str, name: str) -> DeletedResource | None:
        """Return the soft-deleted resource that reserves a name, for a type whose names are unique in Azure."""
        return next((each for each in self.of_type(type) if each.body["name"].lower() == name.lower()), None)

    def forget(self, id: str) -> None:
        """Remove the soft-deleted resource with an id, because it is purged or recovered."""
        self._store.delete(f"{_PREFIX}{id}")

    def _kept(self, document: Document) -> DeletedResource | None:
        body = document.body
        kept = DeletedResource(
            body["resource"], dt.datetime.fromisoformat(body["deleted"]), dt.datetime.fromisoformat(body["purged"])
        )
        if kept.purged > self._clock.now():
            return kept
        self._store.delete(document.id)
        return None
