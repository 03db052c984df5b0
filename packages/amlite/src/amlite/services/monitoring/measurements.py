"""Measurements of scored requests: the count and durations of each kind, for each endpoint and minute.

A minute is one document of bounded size. Requests are collected for a quarter of a second before they are written, so
that a busy endpoint does not wait for the store: if amlite is killed, the last ones are not counted. Durations are
stored in bins of two significant digits, as in Envoy, Azure's gateway.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

from amlite.core.platform import Platform
from amlite.core.wire import Json

_TYPE = "monitoring/minutes"
_KEPT = dt.timedelta(days=93)
_MINUTE = "%Y-%m-%dT%H:%M:00Z"
_COLLECTED_SECONDS = 0.25
UNKNOWN = "unknown"
"""The model's status code if the model did not respond."""


@dataclass(frozen=True)
class Kind:
    """The dimensions of an endpoint's requests. Status codes are text."""

    deployment: str
    status: str
    model_status: str


@dataclass
class Tally:
    """Requests of one kind in one minute: a histogram of durations (milliseconds), and their exact sum."""

    bins: Counter[float] = field(default_factory=Counter)
    total: float = 0.0

    @property
    def count(self) -> int:
        """The number of requests."""
        return self.bins.total()


@dataclass
class _Collected:
    """The tallies that are not written yet, by the ids of their endpoint and minute, and by their kind."""

    tallies: dict[tuple[str, str], dict[Kind, Tally]] = field(default_factory=dict)
    writing: bool = False


@dataclass
class _Pruned:
    """The time at which old measurements were last deleted, by endpoint."""

    moments: dict[str, dt.datetime] = field(default_factory=dict)


def record(
    platform: Platform, endpoint_id: str, deployment: str, status: int, model_status: int | None, seconds: float
) -> None:
    """Count a request that was routed to a deployment. An event loop must run."""
    collected = platform.part(_Collected)
    kind = Kind(deployment, str(status), UNKNOWN if model_status is None else str(model_status))
    minute = platform.clock.now().strftime(_MINUTE)
    tally = collected.tallies.setdefault((endpoint_id, minute), {}).setdefault(kind, Tally())
    milliseconds = seconds * 1000
    tally.bins[float(f"{milliseconds:.2g}")] += 1
    tally.total += milliseconds
    if not collected.writing:
        collected.writing = True
        platform.background(_write_soon(platform), "writing measurements")


def write(platform: Platform) -> None:
    """Write what is collected."""
    collected = platform.part(_Collected)
    tallies, collected.tallies = collected.tallies, {}
    for (endpoint_id, minute), kinds in tallies.items():
        key = f"{_TYPE}{endpoint_id.lower()}/{minute}"
        document = platform.store.get(key)
        if document is None:
            _prune(platform, endpoint_id)
        body: Json = document.body if document else {}
        for kind, tally in kinds.items():
            name = f"{kind.deployment}|{kind.status}|{kind.model_status}"
            written = body.setdefault(name, {"bins": {}, "total": 0.0})
            for milliseconds, count in tally.bins.items():
                duration = f"{milliseconds:g}"
                written["bins"][duration] = written["bins"].get(duration, 0) + count
            written["total"] += tally.total
        platform.store.put(key, _TYPE, body)


async def _write_soon(platform: Platform) -> None:
    await asyncio.sleep(_COLLECTED_SECONDS)
    platform.part(_Collected).writing = False
    write(platform)


def minutes(
    platform: Platform, endpoint_id: str, start: dt.datetime, end: dt.datetime
) -> dict[dt.datetime, dict[Kind, Tally]]:
    """Return the minutes with requests that start in [start, end), oldest first."""
    write(platform)
    found: dict[dt.datetime, dict[Kind, Tally]] = {}
    for document in platform.store.below(f"{_TYPE}{endpoint_id.lower()}", _TYPE):
        at = _begin(document.id)
        if start <= at < end:
            found[at] = {
                Kind(*name.split("|")): Tally(
                    Counter({float(value): count for value, count in tally["bins"].items()}), tally["total"]
                )
                for name, tally in document.body.items()
            }
    return dict(sorted(found.items()))


def forget(platform: Platform, endpoint_id: str) -> None:
    """Delete the measurements of an endpoint's requests."""
    write(platform)
    platform.store.delete(f"{_TYPE}{endpoint_id.lower()}")


def _prune(platform: Platform, endpoint_id: str) -> None:
    """Delete measurements older than Azure's retention, once a day for each endpoint."""
    now = platform.clock.now()
    pruned = platform.part(_Pruned).moments
    last = pruned.get(endpoint_id.lower())
    if last is not None and now - last < dt.timedelta(days=1):
        return
    pruned[endpoint_id.lower()] = now
    for document in platform.store.below(f"{_TYPE}{endpoint_id.lower()}", _TYPE):
        if _begin(document.id) < now - _KEPT:
            platform.store.delete(document.id)


def _begin(document_id: str) -> dt.datetime:
    return dt.datetime.strptime(document_id.rpartition("/")[2], _MINUTE).replace(tzinfo=dt.UTC)
