"""The metrics of requests to online endpoints and deployments: their definitions, and their values.

Names, units, aggregations and dimensions are those of Azure Monitor's pages "Supported metrics" for
Microsoft.MachineLearningServices/workspaces/onlineEndpoints and …/deployments, category Traffic.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from amlite.services.monitoring.measurements import Kind, Tally
from amlite.services.monitoring.queries import Clause
from amlite.services.monitoring.series import Series

Minutes = Mapping[dt.datetime, Mapping[Kind, Tally]]
_DIMENSIONS: dict[str, Callable[[Kind], str]] = {
    "deployment": lambda kind: kind.deployment,
    "statusCode": lambda kind: kind.status,
    "statusCodeClass": lambda kind: f"{kind.status[0]}xx",
    "modelStatusCode": lambda kind: kind.model_status,
    "envoy_response_code": lambda kind: kind.status,
}


@dataclass(frozen=True)
class Metric:
    """A metric. `value` computes a number from a minute's requests. `weighted` averages over requests, not minutes."""

    name: str
    title: str
    description: str
    unit: str
    dimensions: tuple[str, ...]
    value: Callable[[list[Tally]], float]
    weighted: bool = False
    category: ClassVar[str] = "Traffic"
    aggregations: ClassVar[tuple[str, ...]] = ("average",)


def _requests(tallies: list[Tally]) -> float:
    return float(sum(tally.count for tally in tallies))


def _mean(tallies: list[Tally]) -> float:
    return sum(tally.total for tally in tallies) / _requests(tallies)


def percentile(percent: int, tallies: Iterable[Tally]) -> float:
    """Return the duration (ms) that `percent` % of the requests did not exceed."""
    bins: Counter[float] = sum((tally.bins for tally in tallies), Counter())
    rank = -(-bins.total() * percent // 100)
    ordered = sorted(bins.items())
    reached = itertools.accumulate(count for _, count in ordered)
    return next(duration for (duration, _), seen in zip(ordered, reached, strict=True) if seen >= rank)


def _percentiles(*dimensions: str) -> list[Metric]:
    def metric(percent: int) -> Metric:
        return Metric(
            f"RequestLatency_P{percent}",
            f"Request Latency P{percent}",
            f"The duration that {percent} % of a minute's requests did not exceed",
            "Milliseconds",
            dimensions,
            lambda tallies: percentile(percent, tallies),
        )

    return [metric(percent) for percent in (50, 90, 95, 99)]


ENDPOINT = [
    Metric("RequestLatency", "Request Latency", "How long a request takes, from its arrival to its answer",
           "Milliseconds", ("deployment",), _mean, weighted=True),
    *_percentiles("deployment"),
    Metric("RequestsPerMinute", "Requests Per Minute", "How many requests the endpoint got in a minute", "Count",
           ("deployment", "statusCode", "statusCodeClass", "modelStatusCode"), _requests),
]  # fmt: skip
DEPLOYMENT = [
    *_percentiles(),
    Metric("RequestsPerMinute", "Requests Per Minute", "How many requests the deployment got in a minute", "Count",
           ("envoy_response_code",), _requests),
]  # fmt: skip


def evaluate(
    metric: Metric, minutes: Minutes, starts: list[dt.datetime], grain: dt.timedelta, clauses: list[Clause],
    split: list[str],
) -> list[Series]:  # fmt: skip
    """Return a metric's averages in the intervals that start at `starts`, one series for each combination in `split`.

    Without `split`, there is one series even if there were no requests, as in Azure.
    """
    combinations: dict[tuple[str, ...], dict[dt.datetime, list[Tally]]] = {} if split else {(): {}}
    for at, kinds in minutes.items():
        for kind, tally in kinds.items():
            if all(clause.matches(_DIMENSIONS[clause.dimension](kind)) for clause in clauses):
                key = tuple(_DIMENSIONS[name](kind) for name in split)
                combinations.setdefault(key, {}).setdefault(at, []).append(tally)
    return [
        Series(
            dict(zip(split, key, strict=True)),
            {start: _average(metric, by_minute, start, start + grain) for start in starts},
        )
        for key, by_minute in sorted(combinations.items())
    ]


def _average(
    metric: Metric, by_minute: dict[dt.datetime, list[Tally]], start: dt.datetime, end: dt.datetime
) -> dict[str, float]:
    inside = [tallies for at, tallies in by_minute.items() if start <= at < end]
    if not inside:
        return {}
    if metric.weighted:
        return {"average": metric.value([tally for tallies in inside for tally in tallies])}
    return {"average": sum(metric.value(tallies) for tallies in inside) / len(inside)}
