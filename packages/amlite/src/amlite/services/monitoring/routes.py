"""Azure Monitor's metrics: `<resource id>/providers/Microsoft.Insights/metrics` and `metricDefinitions`."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm.resources import resource_of
from amlite.services.monitoring import measured, queries
from amlite.services.monitoring.gauges import Gauge
from amlite.services.monitoring.metrics import Metric
from amlite.services.monitoring.queries import MonitorError
from amlite.services.monitoring.series import Series

routes = Routes(ARM_HOST)
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_MOST_SERIES = 10
_NAMES = {"average": "Average", "minimum": "Minimum", "maximum": "Maximum"}


@routes.get("/{resource:path}/providers/Microsoft.Insights/metrics")
async def list_metrics(call: Call) -> web.Response:
    """Return the values of metrics in a timespan, for the combinations of dimensions in the filter."""
    document, known = _resource(call)
    query = {name.lower(): value for name, value in call.query.items()}
    now = call.platform.clock.now()
    start, end = queries.span(query.get("timespan"), now)
    adjust = query.get("autoadjusttimegrain", "").lower() == "true"
    starts, grain = queries.intervals(query.get("interval"), start, end, adjust=adjust)
    aggregations = [word.strip().lower() for word in query.get("aggregation", "average").split(",") if word.strip()]
    chosen = _chosen(query.get("metricnames", ""), known, document)
    rolled_up = {name.strip().lower() for name in query.get("rollupby", "").split(",")}
    top = call.number("top", _MOST_SERIES)
    values = []
    for metric in chosen:
        _require(metric, aggregations)
        clauses = queries.clauses(query.get("$filter"), metric.dimensions, metric.name)
        split = list(dict.fromkeys(each.dimension for each in clauses if each.dimension.lower() not in rolled_up))
        resource = ResourceId.of(document.id)
        series = measured.values(call.platform, resource, metric, starts, grain, clauses, split)
        if order := query.get("orderby"):
            series.sort(key=lambda each: each.mean, reverse=order.lower().endswith("desc"))
        values.append(
            _value(
                document,
                metric,
                series[:top],
                aggregations,
                metadata=query.get("resulttype", "").lower() == "metadata",
            )
        )
    return reply(
        {
            "cost": max(0, int((end - start).total_seconds() // 60) * len(chosen) - 1),
            "timespan": f"{start.strftime(_STAMP)}/{end.strftime(_STAMP)}",
            "interval": query.get("interval") or "PT1M",
            "value": values,
            "namespace": ResourceId.of(document.id).type,
            "resourceregion": _region(call, document),
        }
    )


@routes.get("/{resource:path}/providers/Microsoft.Insights/metricDefinitions")
async def list_definitions(call: Call) -> web.Response:
    """List the metrics of a resource."""
    document, known = _resource(call)
    return reply({"value": [_definition(document, metric) for metric in known]})


def _resource(call: Call) -> tuple[Document, list[Metric | Gauge]]:
    target = ResourceId.parse("/" + call.parameters["resource"].strip("/"))
    if target is None:
        raise MonitorError(f"'{call.parameters['resource']}' is not a resource id.")
    document = resource_of(call.platform, target)
    known = measured.known(target)
    if not known:
        raise MonitorError(
            f"Failed to find metric configuration for provider: {target.namespace}, resource Type: "
            f"{target.type.partition('/')[2]} (its metrics are not part of this local Azure)."
        )
    return document, known


def _chosen(names: str, known: list[Metric | Gauge], document: Document) -> list[Metric | Gauge]:
    by_name = {metric.name.lower(): metric for metric in known}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted or [""]:
        if name.lower() not in by_name:
            target = ResourceId.of(document.id)
            raise MonitorError(
                f"Failed to find metric configuration for provider: {target.namespace}, resource Type: "
                f"{target.type.partition('/')[2]}, metric: {name}, "
                f"Valid metrics: {','.join(metric.name for metric in known)}"
            )
    return [by_name[name.lower()] for name in wanted]


def _require(metric: Metric | Gauge, aggregations: list[str]) -> None:
    for aggregation in aggregations:
        if aggregation not in metric.aggregations:
            raise MonitorError(
                f"Metric: {metric.name} does not support requested aggregation: {aggregation}, "
                f"supported ones are: {','.join(_NAMES[each] for each in metric.aggregations)}"
            )


def _region(call: Call, document: Document) -> str:
    if "location" in document.body:
        return str(document.body["location"])
    target = ResourceId.of(document.id)
    return str(resource_of(call.platform, replace(target, segments=target.segments[:-2])).body["location"])


def _value(
    document: Document, metric: Metric | Gauge, series: list[Series], aggregations: list[str], *, metadata: bool
) -> Json:
    return {
        "id": f"{document.id}/providers/Microsoft.Insights/metrics/{metric.name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": metric.name, "localizedValue": metric.title},
        "displayDescription": metric.description,
        "unit": metric.unit,
        "timeseries": [_timeseries(each, aggregations, metadata=metadata) for each in series],
        "errorCode": "Success",
    }


def _timeseries(series: Series, aggregations: list[str], *, metadata: bool) -> Json:
    named = [
        # Azure's response has the names of dimensions in lower case.
        {"name": {"value": name.lower(), "localizedValue": name.lower()}, "value": value}
        for name, value in series.dimensions.items()
    ]
    if metadata:
        return {"metadatavalues": named}
    data = [
        {"timeStamp": at.strftime(_STAMP), **{name: values[name] for name in aggregations if name in values}}
        for at, values in series.points.items()
    ]
    return {"metadatavalues": named, "data": data}


def _definition(document: Document, metric: Metric | Gauge) -> Json:
    namespace = ResourceId.of(document.id).type
    return {
        "id": f"{document.id}/providers/microsoft.insights/metricdefinitions/{metric.name}",
        "resourceId": document.id,
        "namespace": namespace,
        "category": metric.category,
        "name": {"value": metric.name, "localizedValue": metric.title},
        "displayDescription": metric.description,
        "isDimensionRequired": False,
        "unit": metric.unit,
        "primaryAggregationType": "Average",
        "supportedAggregationTypes": [_NAMES[each] for each in metric.aggregations],
        "metricAvailabilities": [{"timeGrain": grain, "retention": "P93D"} for grain in queries.GRAINS],
        "dimensions": [{"value": name, "localizedValue": name} for name in metric.dimensions],
    }
