"""Metric alert rules: they compare a metric's values in a window with a threshold, and tell action groups.

A rule is evaluated as often as it says, and immediately after an event was counted. An alert is stateful: it fires
once, and is resolved when three evaluations in a row find it healthy. Sources: the OpenAPI document of
Microsoft.Insights/metricAlerts, and the page "Types of Azure Monitor alerts".
"""

from __future__ import annotations

import datetime as dt
import operator
import uuid
from collections import Counter
from collections.abc import Callable

from amlite.core import durations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform, isolated
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.monitoring import actions, counters, measured
from amlite.services.monitoring.queries import Clause

TYPE = "Microsoft.Insights/metricAlerts"
_STATE = "monitoring/alert-state"
_KIND = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
_COUNTED = {
    WORKSPACE_TYPE.lower(): counters.WORKSPACE,
    "microsoft.eventgrid/systemtopics": counters.SYSTEM_TOPIC,
}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "equals": operator.eq,
    "greaterthan": operator.gt,
    "greaterthanorequal": operator.ge,
    "lessthan": operator.lt,
    "lessthanorequal": operator.le,
}
_FREQUENCIES = ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D")
_HEALTHY = 3
_MINUTE = dt.timedelta(minutes=1)


def _prepare(platform: Platform, _resource_id: ResourceId, body: Json, _old: Json | None) -> Json:
    properties: Json = body["properties"]
    scopes = properties.get("scopes") or []
    if len(scopes) != 1:
        raise _refusal("scopes", "must name one resource (rules of several are not part of this local Azure)")
    target = ResourceId.parse(str(scopes[0]))
    if target is None or platform.store.get(str(target)) is None:
        raise AzureError(
            404, "ResourceNotFound", f"The resource '{scopes[0]}' that properties.scopes names was not found."
        )
    if properties.get("severity") not in range(5):
        raise _refusal("severity", "must be a whole number from 0 to 4")
    lengths = {}
    for name in ("evaluationFrequency", "windowSize"):
        if properties.get(name) not in _FREQUENCIES:
            raise _refusal(name, f"must be one of {', '.join(_FREQUENCIES)}")
        lengths[name] = durations.parse(properties[name]) or _MINUTE
    if lengths["windowSize"] < lengths["evaluationFrequency"] or properties["evaluationFrequency"] in (
        "PT6H",
        "PT12H",
        "P1D",
    ):
        raise _refusal("windowSize", "must not be shorter than evaluationFrequency, which is at most PT1H")
    criteria = properties.get("criteria") or {}
    if criteria.get("odata.type") != _KIND:
        raise _refusal("criteria", f"must have the odata.type {_KIND} (others are not part of this local Azure)")
    if not criteria.get("allOf"):
        raise _refusal("criteria.allOf", "must have a criterion")
    for number, criterion in enumerate(criteria["allOf"]):
        _check(target, criterion, f"criteria.allOf[{number}]")
    for action in properties.get("actions") or []:
        group = platform.store.get(str(action.get("actionGroupId")))
        if group is None or group.type != actions.TYPE.lower():
            raise _refusal("actions", f"the action group '{action.get('actionGroupId')}' was not found")
    return {**body, "properties": {"enabled": True, "autoMitigate": True, "actions": [], **properties}}


def _check(target: ResourceId, criterion: Json, where: str) -> None:
    if criterion.get("criterionType", "StaticThresholdCriterion") != "StaticThresholdCriterion":
        raise _refusal(f"{where}.criterionType", "must be StaticThresholdCriterion (dynamic thresholds are not served)")
    known = _known(target)
    metric = known.get(str(criterion.get("metricName")).lower())
    if metric is None:
        raise _refusal(
            f"{where}.metricName",
            f"couldn't find a metric named {criterion.get('metricName')}; {target.type} has {', '.join(sorted(known))}",
        )
    dimensions, aggregations = metric
    if str(criterion.get("timeAggregation")).lower() not in aggregations:
        raise _refusal(f"{where}.timeAggregation", f"must be one of {', '.join(aggregations)} for this metric")
    if str(criterion.get("operator")).lower() not in _OPERATORS:
        raise _refusal(
            f"{where}.operator", "must be one of Equals, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual"
        )
    if not isinstance(criterion.get("threshold"), int | float):
        raise _refusal(f"{where}.threshold", "must be a number")
    for dimension in criterion.get("dimensions") or []:
        if dimension.get("name") not in dimensions:
            raise _refusal(f"{where}.dimensions", f"the metric has the dimensions {', '.join(dimensions) or 'none'}")
        if str(dimension.get("operator")).lower() != "include" or "*" in dimension.get("values", ["*"]):
            raise _refusal(f"{where}.dimensions", "amlite serves Include with values only")


def _known(target: ResourceId) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the metrics of a resource: lower-case name → its dimensions and aggregations."""
    kind = target.type.lower()
    if kind in _COUNTED:
        return {each.name.lower(): (each.dimensions, ("total", "count")) for each in _COUNTED[kind]}
    return {each.name.lower(): (each.dimensions, each.aggregations) for each in measured.known(target)}


def _refusal(where: str, what: str) -> AzureError:
    return AzureError(400, "BadRequest", f"properties.{where}: {what}.")


async def start(platform: Platform) -> None:
    """Start to evaluate rules. This continues as long as amlite runs."""
    platform.background(_run(platform), "evaluating alert rules")


async def _run(platform: Platform) -> None:
    changed = platform.part(counters.Counted).changed
    while True:
        changed.clear()
        pause = evaluate(platform)
        await platform.clock.sleep_until(changed, pause)


def evaluate(platform: Platform) -> float:
    """Evaluate every enabled rule, and return the seconds until the next time."""
    pause = 3600.0
    for rule in list(platform.store.of_type(TYPE)):
        properties = rule.body["properties"]
        if not properties["enabled"]:
            continue
        pause = min(pause, (durations.parse(properties["evaluationFrequency"]) or _MINUTE).total_seconds())
        with isolated(f"alert rule {rule.id}"):
            found = [_violation(platform, rule, criterion) for criterion in properties["criteria"]["allOf"]]
            violated = [each for each in found if each is not None]
            _settle(platform, rule, violated if len(violated) == len(found) else [])
    return pause


def _violation(platform: Platform, rule: Document, criterion: Json) -> Json | None:
    """Return the criterion with the value that passes its threshold, or None."""
    properties = rule.body["properties"]
    target = ResourceId.of(properties["scopes"][0])
    # The minute that has begun counts.
    end = platform.clock.now() + _MINUTE
    start = end - (durations.parse(properties["windowSize"]) or _MINUTE) - _MINUTE
    if target.type.lower() in _COUNTED:
        value: float | None = _counted(platform, str(target), criterion, start, end)
    else:
        value = _measured(platform, target, criterion, start, end)
    if value is None or not _OPERATORS[criterion["operator"].lower()](value, criterion["threshold"]):
        return None
    return {**criterion, "metricValue": value}


def _counted(platform: Platform, target: str, criterion: Json, start: dt.datetime, end: dt.datetime) -> float:
    name = next(
        each.name
        for each in _COUNTED[ResourceId.of(target).type.lower()]
        if each.name.lower() == criterion["metricName"].lower()
    )
    whole: Counter[counters.Dimensions] = sum(counters.minutes(platform, target, name, start, end).values(), Counter())
    wanted = criterion.get("dimensions") or []
    return float(
        sum(
            count
            for dimensions, count in whole.items()
            if all(
                dict(dimensions).get(each["name"], "").lower() in [v.lower() for v in each["values"]] for each in wanted
            )
        )
    )


def _measured(
    platform: Platform, target: ResourceId, criterion: Json, start: dt.datetime, end: dt.datetime
) -> float | None:
    metric = next(each for each in measured.known(target) if each.name.lower() == criterion["metricName"].lower())
    clauses = [
        Clause(each["name"], tuple(("eq", value) for value in each["values"]))
        for each in criterion.get("dimensions") or []
    ]
    series = measured.values(platform, target, metric, [start], end - start, clauses, [])
    aggregation = criterion["timeAggregation"].lower()
    return next((point[aggregation] for each in series for point in each.points.values() if point), None)


def _settle(platform: Platform, rule: Document, violated: list[Json]) -> None:
    """Fire or resolve a rule's alert where its state changes."""
    scope = rule.body["properties"]["scopes"][0].lower()
    document = platform.store.get(f"{_STATE}{rule.id}")
    # An alert belongs to the resource that it is about. A rule that moved to another one has no alert there yet.
    known = document.body if document is not None else {}
    state: Json = known if known.get("scope") == scope else {"fired": None, "healthy": 0}
    if violated:
        fired = state["fired"] or _tell(platform, rule, "Fired", violated)
        new = {"fired": fired, "healthy": 0, "scope": scope}
    elif state["fired"] is None:
        return
    elif state["healthy"] + 1 < _HEALTHY or not rule.body["properties"]["autoMitigate"]:
        new = {"fired": state["fired"], "healthy": state["healthy"] + 1, "scope": scope}
    else:
        _tell(platform, rule, "Resolved", [])
        new = {"fired": None, "healthy": 0, "scope": scope}
    if new != state:
        platform.store.put(f"{_STATE}{rule.id}", _STATE, new)


def _tell(platform: Platform, rule: Document, condition: str, criteria: list[Json]) -> str:
    properties = rule.body["properties"]
    alert_id = f"{actions.ALERT_TYPE}/{uuid.uuid4()}"
    alert = {
        "id": alert_id,
        "rule": rule.id,
        "description": properties.get("description") or "",
        "severity": properties["severity"],
        "condition": condition,
        "at": platform.clock.stamp(),
        "scopes": properties["scopes"],
        "criteria": criteria,
        "notifications": [],
    }
    platform.store.put(alert_id, actions.ALERT_TYPE, alert)
    actions.notify(platform, alert_id, [each["actionGroupId"] for each in properties["actions"]])
    return alert_id


async def _created(platform: Platform, _resource_id: ResourceId) -> None:
    platform.part(counters.Counted).changed.set()


async def _deleting(platform: Platform, resource_id: ResourceId) -> None:
    platform.store.delete(f"{_STATE}{resource_id}")


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[^*#&+:<>?@%{}\\/|]{1,260}",
        required=("properties.severity", "properties.criteria"),
        creation=201,
        linked={"properties.scopes": "read", "properties.actions.actionGroupId": "read"},
        prepare=_prepare,
        created=_created,
        deleting=_deleting,
    )
]
