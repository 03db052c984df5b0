"""The metrics that online endpoints and their deployments have, and their values."""

from __future__ import annotations

import datetime as dt

from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.machinelearning.endpoints import ONLINE_TYPE
from amlite.services.monitoring import gauges, measurements, metrics, utilization
from amlite.services.monitoring.gauges import Gauge
from amlite.services.monitoring.metrics import Metric
from amlite.services.monitoring.queries import Clause
from amlite.services.monitoring.series import Series

_ENDPOINT = ONLINE_TYPE.lower()
_METRICS: dict[str, list[Metric | Gauge]] = {
    _ENDPOINT: [*metrics.ENDPOINT],
    f"{_ENDPOINT}/deployments": [*gauges.DEPLOYMENT, *metrics.DEPLOYMENT],
}


def known(resource: ResourceId) -> list[Metric | Gauge]:
    """Return the metrics of a resource. Resources of other types have none."""
    return _METRICS.get(resource.type.lower(), [])


def values(
    platform: Platform,
    resource: ResourceId,
    metric: Metric | Gauge,
    starts: list[dt.datetime],
    grain: dt.timedelta,
    clauses: list[Clause],
    split: list[str],
) -> list[Series]:
    """Return a metric's values in the intervals that start at `starts`, by the dimensions in `split`."""
    end = starts[-1] + grain
    if isinstance(metric, Gauge):
        samples = utilization.minutes(platform, str(resource), metric.name, starts[0], end)
        return gauges.evaluate(samples, starts, grain, clauses, split)
    is_whole = resource.type.lower() == _ENDPOINT
    endpoint = str(resource if is_whole else resource.parent)
    whole = measurements.minutes(platform, endpoint, starts[0], end)
    found = whole if is_whole else _of_deployment(whole, resource.name)
    return metrics.evaluate(metric, found, starts, grain, clauses, split)


def _of_deployment(whole: metrics.Minutes, name: str) -> metrics.Minutes:
    own = {
        at: {kind: tally for kind, tally in kinds.items() if kind.deployment.lower() == name.lower()}
        for at, kinds in whole.items()
    }
    return {at: kinds for at, kinds in own.items() if kinds}
