"""The records of pipeline runs, activity runs and trigger runs, and the queries for them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.wire import Json

FACTORY_TYPE = "Microsoft.DataFactory/factories"
PIPELINE_TYPE = f"{FACTORY_TYPE}/pipelines"
TRIGGER_TYPE = f"{FACTORY_TYPE}/triggers"
LINKED_TYPE = f"{FACTORY_TYPE}/linkedservices"
PIPELINE_RUN, ACTIVITY_RUN, TRIGGER_RUN = (
    "datafactory/pipeline-runs",
    "datafactory/activity-runs",
    "datafactory/trigger-runs",
)
UNFINISHED = ("Queued", "InProgress", "Canceling")
# operand of a filter -> field of the record
_OPERANDS = {
    "ActivityName": "activityName",
    "ActivityRunEnd": "activityRunEnd",
    "ActivityRunStart": "activityRunStart",
    "ActivityType": "activityType",
    "PipelineName": "pipelineName",
    "RunEnd": "runEnd",
    "RunGroupId": "runGroupId",
    "RunStart": "runStart",
    "Status": "status",
    "TriggerName": "triggerName",
    "TriggerRunTimestamp": "triggerRunTimestamp",
}
_OPERATORS = ("Equals", "NotEquals", "In", "NotIn")
# The field that says when a record of a type was changed last.
_CHANGED = {
    PIPELINE_RUN: ("lastUpdated",),
    ACTIVITY_RUN: ("activityRunEnd", "activityRunStart"),
    TRIGGER_RUN: ("triggerRunTimestamp",),
}


def key_of(factory_id: str, kind: str, run_id: str) -> str:
    """Return the id of a run's document."""
    return f"{kind}{factory_id}/{run_id}"


def get(platform: Platform, factory_id: str, run_id: str) -> Json:
    """Return a pipeline run. AzureError 404 if it does not exist."""
    document = platform.store.get(key_of(factory_id, PIPELINE_RUN, run_id))
    if document is None:
        raise AzureError(404, "PipelineRunNotFound", f"Pipeline run '{run_id}' is not found.")
    return document.body


def put(platform: Platform, factory_id: str, run: Json, **changed: Any) -> Json:
    """Store a pipeline run with changed fields."""
    run.update(changed, lastUpdated=platform.clock.stamp())
    platform.store.put(key_of(factory_id, PIPELINE_RUN, run["runId"]), PIPELINE_RUN, run)
    return run


def put_activity(platform: Platform, factory_id: str, record: Json) -> None:
    """Store an activity run."""
    key = key_of(factory_id, ACTIVITY_RUN, f"{record['pipelineRunId']}/{record['activityRunId']}")
    platform.store.put(key, ACTIVITY_RUN, record)


def forget(platform: Platform, factory_id: str) -> None:
    """Forget the runs of a factory that is deleted."""
    for kind in (PIPELINE_RUN, ACTIVITY_RUN, TRIGGER_RUN):
        platform.store.delete(f"{kind}{factory_id}")


def milliseconds(start: str, end: str) -> int:
    """Return the time between two stamps."""
    return round((_moment(end) - _moment(start)).total_seconds() * 1000)


def query(platform: Platform, factory_id: str, kind: str, wanted: Json, below: str = "") -> Json:
    """Return the records of a type that a query asks for. Raises AzureError 400 for a malformed query."""
    wanted = fields(wanted, {"filters": "list:map:any", "orderBy": "list:map:any"})
    after, before = (_time(wanted, name) for name in ("lastUpdatedAfter", "lastUpdatedBefore"))
    base = f"{kind}{factory_id}" + (f"/{below}" if below else "")
    found = []
    for document in platform.store.below(base, kind):
        changed = next(document.body[name] for name in _CHANGED[kind] if document.body.get(name))
        if after <= _moment(changed) <= before and all(
            _passes(document.body, each) for each in wanted.get("filters") or []
        ):
            found.append(document.body)
    for order in reversed(wanted.get("orderBy") or []):
        name = _field(fields(order, {"orderBy": "str"}).get("orderBy"))
        found.sort(key=lambda record: str(record.get(name)), reverse=str(order.get("order")).upper() == "DESC")
    return {"value": found, "continuationToken": None}


def _passes(record: Json, wanted: Json) -> bool:
    wanted = fields(wanted, {"operator": "str", "operand": "str", "values": "list:str"})
    operator, values = wanted.get("operator"), wanted.get("values", [])
    if operator not in _OPERATORS:
        raise AzureError(400, "BadRequest", f"filters.operator must be one of {', '.join(_OPERATORS)}.")
    if wanted.get("operand") == "LatestOnly":
        return True  # no run is a rerun of another one
    inside = str(record.get(_field(wanted.get("operand")))) in values
    return inside if operator in ("Equals", "In") else not inside


def _field(operand: Any) -> str:
    if operand not in _OPERANDS:
        raise AzureError(400, "BadRequest", f"'{operand}' is not an operand. Use one of {', '.join(_OPERANDS)}.")
    return _OPERANDS[operand]


def _time(wanted: Json, name: str) -> dt.datetime:
    try:
        return _moment(wanted[name])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise AzureError(400, "BadRequest", f"{name} is required: a time in ISO 8601.") from error


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
