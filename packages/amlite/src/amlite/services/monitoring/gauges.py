"""The metrics of a deployment's instances: their definitions, and their values from samples of the model servers.

Names, unit, aggregations and dimension are those of Azure Monitor's page "Supported metrics" for
Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments, category Resource. Only managed deployments
have values.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from amlite.services.monitoring.queries import Clause
from amlite.services.monitoring.series import Series
from amlite.services.monitoring.utilization import Samples


@dataclass(frozen=True)
class Gauge:
    """A metric whose values are samples of instances."""

    name: str
    title: str
    description: str
    category: ClassVar[str] = "Resource"
    unit: ClassVar[str] = "Percent"
    dimensions: ClassVar[tuple[str, ...]] = ("instanceId",)
    aggregations: ClassVar[tuple[str, ...]] = ("average", "minimum", "maximum")


CPU = Gauge("CpuUtilizationPercentage", "CPU Utilization Percentage", "Percentage of an instance's CPU in use")
MEMORY = Gauge(
    "CpuMemoryUtilizationPercentage",
    "CPU Memory Utilization Percentage",
    "Percentage of an instance's memory in use",
)
DEPLOYMENT = [MEMORY, CPU]


def evaluate(
    found: Mapping[dt.datetime, Mapping[str, Samples]],
    starts: list[dt.datetime],
    grain: dt.timedelta,
    clauses: list[Clause],
    split: list[str],
) -> list[Series]:
    """Return a metric's values in the intervals that start at `starts`: one series, or one for each instance."""
    combinations: dict[tuple[str, ...], dict[dt.datetime, list[Samples]]] = {} if split else {(): {}}
    for at, instances in found.items():
        for instance, samples in instances.items():
            if all(clause.matches(instance) for clause in clauses):
                key = (instance,) if split else ()
                combinations.setdefault(key, {}).setdefault(at, []).append(samples)
    return [
        Series(
            dict(zip(split, key, strict=True)), {start: _values(by_minute, start, start + grain) for start in starts}
        )
        for key, by_minute in sorted(combinations.items())
    ]


def _values(by_minute: dict[dt.datetime, list[Samples]], start: dt.datetime, end: dt.datetime) -> dict[str, float]:
    inside = [samples for at, all_samples in by_minute.items() if start <= at < end for samples in all_samples]
    if not inside:
        return {}
    return {
        "average": sum(each.total for each in inside) / sum(each.count for each in inside),
        "minimum": min(each.minimum for each in inside),
        "maximum": max(each.maximum for each in inside),
    }
