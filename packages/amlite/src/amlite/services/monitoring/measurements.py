"""Measurements of scored requests: the count and durations of each kind, for each endpoint and minute.

A minute is one document of bounded size. Each request writes it, so that nothing is lost if amlite is killed.
Durations are stored in bins of two significant digits, as in Envoy, Azure's gateway.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

from amlite.core.platform import Platform
from amlite.core.wire import Json

_TYPE = "monitoring/minutes"
_KEPT = dt.timedelta(days=93)
_MINUTE = "%Y-%m-%dT%H:%M:00Z"
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
class _Pruned:
    """The time at which old measurements were last deleted, by endpoint."""

    moments: dict[str, dt.datetime] = field(default_factory=dict)


def record(
    platform: Platform, endpoint_id: str, deployment: str, status: int, model_status: int | None, seconds: float
) -> None:
    """Count a request that was routed to a deployment."""
    key = f"{_TYPE}{endpoint_id.lower()}/{platform.clock.now().strftime(_MINUTE)}"
    document = platform.store.get(key)
    if document is None:
        _prune(platform, endpoint_id)
    body: Json = document.body if document else {}
    kind = f"{deployment}|{status}|{UNKNOWN if model_status is None else model_status}"
    tally = body.setdefault(kind, {"bins": {}, "total": 0.0})
    milliseconds = seconds * 1000
    name = f"{float(f'{milliseconds:.2g}'):g}"
    tally["bins"][name] = tally["bins"].get(name, 0) + 1
    tally["total"] += milliseconds
    platform.store.put(key, _TYPE, body)


def minutes(
    platform: Platform, endpoint_id: str, start: dt.datetime, end: dt.datetime
) -> dict[dt.datetime, dict[Kind, Tally]]:
    """Return the minutes with requests that start in [start, end), oldest first."""
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
