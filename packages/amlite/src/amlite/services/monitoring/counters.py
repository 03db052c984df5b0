"""Counted events of resources: metrics whose values are sums, such as failed runs and delivered events.

A minute of a resource is one document: by metric and dimensions, the number of events.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from amlite.core.platform import Platform

_TYPE = "monitoring/counts"
_MINUTE = "%Y-%m-%dT%H:%M:00Z"
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CountMetric:
    """A metric of counted events."""

    name: str
    title: str
    description: str
    dimensions: tuple[str, ...] = ()


_RUN = ("RunType", "ExperimentName")
_EVENT = ("EventSubscriptionName",)
WORKSPACE = [
    CountMetric("Completed Runs", "Completed Runs", "Number of runs completed successfully", _RUN),
    CountMetric("Failed Runs", "Failed Runs", "Number of runs failed", _RUN),
    CountMetric("Cancelled Runs", "Cancelled Runs", "Number of runs cancelled", _RUN),
]
SYSTEM_TOPIC = [
    CountMetric("PublishSuccessCount", "Published Events", "Events published to the topic"),
    CountMetric("UnmatchedEventCount", "Unmatched Events", "Events that matched no subscription"),
    CountMetric("MatchedEventCount", "Matched Events", "Events that matched a subscription", _EVENT),
    CountMetric("DeliverySuccessCount", "Delivered Events", "Events delivered to a subscription", _EVENT),
    CountMetric("DeliveryAttemptFailCount", "Delivery Failed Events", "Failed attempts to deliver", _EVENT),
    CountMetric("DeadLetteredCount", "Dead Lettered Events", "Events that were dead-lettered", _EVENT),
    CountMetric("DroppedEventCount", "Dropped Events", "Events that were dropped", _EVENT),
]


@dataclass
class Counted:
    """`changed` is set after an event was counted."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)


def record(platform: Platform, resource_id: str, metric: str, dimensions: Mapping[str, str] | None = None) -> None:
    """Count an event of a resource."""
    key = f"{_TYPE}{resource_id.lower()}/{platform.clock.now().strftime(_MINUTE)}"
    document = platform.store.get(key)
    body = document.body if document else {}
    kind = json.dumps([metric, sorted((dimensions or {}).items())])
    platform.store.put(key, _TYPE, {**body, kind: body.get(kind, 0) + 1})
    platform.part(Counted).changed.set()


def minutes(
    platform: Platform, resource_id: str, metric: str, start: dt.datetime, end: dt.datetime
) -> dict[dt.datetime, Counter[Dimensions]]:
    """Return the counts of a metric in the minutes that start in [start, end), by dimensions."""
    found: dict[dt.datetime, Counter[Dimensions]] = {}
    for document in platform.store.below(f"{_TYPE}{resource_id.lower()}", _TYPE):
        at = dt.datetime.strptime(document.id.rpartition("/")[2], _MINUTE).replace(tzinfo=dt.UTC)
        if not start <= at < end:
            continue
        for kind, count in document.body.items():
            name, dimensions = json.loads(kind)
            if name == metric:
                found.setdefault(at, Counter())[tuple((key, value) for key, value in dimensions)] += count
    return found
