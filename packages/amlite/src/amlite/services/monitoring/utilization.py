"""Utilization of a deployment's instances: CPU and memory in percent, as samples of the running model servers.

An hour of a deployment is one document: by minute, metric and instance, the smallest value, the largest, the sum and
the number of the samples.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from amlite.core.platform import Platform

_TYPE = "monitoring/utilization"
_KEPT = dt.timedelta(days=93)
_HOUR = "%Y-%m-%dT%H:00:00Z"


@dataclass(frozen=True)
class Samples:
    """What is known of a metric's samples of one instance in one minute."""

    minimum: float
    maximum: float
    total: float
    count: int


def record(platform: Platform, deployment_id: str, instance: str, values: Mapping[str, float]) -> None:
    """Add a sample of each metric of an instance."""
    now = platform.clock.now()
    key = _key(deployment_id, now)
    document = platform.store.get(key)
    if document is None:
        _prune(platform, deployment_id, now - _KEPT)
    body = document.body if document else {}
    minute = body.setdefault(f"{now.minute:02}", {})
    for metric, value in values.items():
        low, high, total, count = minute.get(f"{metric}|{instance}", (value, value, 0.0, 0))
        minute[f"{metric}|{instance}"] = [min(low, value), max(high, value), total + value, count + 1]
    platform.store.put(key, _TYPE, body)


def minutes(
    platform: Platform, deployment_id: str, metric: str, start: dt.datetime, end: dt.datetime
) -> dict[dt.datetime, dict[str, Samples]]:
    """Return the samples of a metric by instance, in the minutes that start in [start, end) and have any."""
    found: dict[dt.datetime, dict[str, Samples]] = {}
    for document in platform.store.below(f"{_TYPE}{deployment_id.lower()}", _TYPE):
        hour = _begin(document.id)
        for minute, kinds in document.body.items():
            at = hour + dt.timedelta(minutes=int(minute))
            if not start <= at < end:
                continue
            for kind, samples in kinds.items():
                name, _, instance = kind.partition("|")
                if name == metric:
                    found.setdefault(at, {})[instance] = Samples(*samples)
    return found


def forget(platform: Platform, deployment_id: str) -> None:
    """Delete the samples of a deployment."""
    platform.store.delete(f"{_TYPE}{deployment_id.lower()}")


def _prune(platform: Platform, deployment_id: str, before: dt.datetime) -> None:
    for document in platform.store.below(f"{_TYPE}{deployment_id.lower()}", _TYPE):
        if _begin(document.id) < before:
            platform.store.delete(document.id)


def _key(deployment_id: str, at: dt.datetime) -> str:
    return f"{_TYPE}{deployment_id.lower()}/{at.strftime(_HOUR)}"


def _begin(document_id: str) -> dt.datetime:
    return dt.datetime.strptime(document_id.rpartition("/")[2], _HOUR).replace(tzinfo=dt.UTC)
