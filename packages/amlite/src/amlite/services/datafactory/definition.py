"""The definition of a pipeline: what Data Factory accepts, and what amlite runs of it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.datafactory import expressions

SUCCEEDED, FAILED, SKIPPED = "Succeeded", "Failed", "Skipped"
COMPLETED = "Completed"
_CONDITIONS = (SUCCEEDED, FAILED, SKIPPED, COMPLETED)
_NAME = re.compile(r"[A-Za-z0-9_][^.+?/<>*%&:\\]{0,54}")
_SPAN = re.compile(r"(?:(\d{1,8})\.)?(\d\d):([0-5]\d|60):([0-5]\d|60)")
_ACTIVITY = {
    "dependsOn": "list:map:any",
    "description": "str",
    "linkedServiceName": "map:any",
    "name": "str",
    "policy": "map:any",
    "type": "str",
    "typeProperties": "map:any",
    "userProperties": "any",
}
_DEPENDENCY = {"activity": "str", "dependencyConditions": "list:str"}
_GIVEN = {"authentication": "map:any", "expression": "map:any", "variableName": "str"}
_POLICY_KEYS = {"retry", "retryIntervalInSeconds", "secureInput", "secureOutput", "timeout"}
_PIPELINE_KEYS = {"activities", "annotations", "concurrency", "description", "folder", "parameters", "variables"}
_PARAMETER_TYPES = ("array", "bool", "float", "int", "object", "string")
_VARIABLE_TYPES = ("array", "boolean", "string")
# Source: "Azure Data Factory limits".
_MOST_BYTES, _MOST_ACTIVITIES, _MOST_PARAMETERS = 200 << 10, 120, 50
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Kind:
    """An activity type that amlite runs: its properties, and where it holds other activities."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    policy: bool = False


KINDS = {
    "DatabricksJob": Kind(("jobId",), ("jobParameters",), policy=True),
    "Fail": Kind(("message", "errorCode")),
    "IfCondition": Kind(
        ("expression",), ("ifTrueActivities", "ifFalseActivities"), ("ifTrueActivities", "ifFalseActivities")
    ),
    "SetVariable": Kind(("variableName", "value"), policy=True),
    "Until": Kind(("expression", "activities"), ("timeout",), ("activities",)),
    "Wait": Kind(("waitTimeInSeconds",)),
    "WebActivity": Kind(
        ("method", "url"),
        ("authentication", "body", "datasets", "headers", "httpRequestTimeout", "linkedServices", "turnOffAsync"),
        policy=True,
    ),
}
"""The activity types that amlite runs."""


@dataclass
class _Pipeline:
    name: str
    parameters: Collection[str]
    variables: Collection[str]
    linked: Collection[str]
    names: set[str] = field(default_factory=set)


def span(text: Any) -> float:
    """Return the seconds of a time span, `d.hh:mm:ss` or `hh:mm:ss`. Raises ValueError."""
    found = _SPAN.fullmatch(str(text))
    if found is None:
        raise ValueError(f"'{text}' is not a time span such as 00:10:00 or 1.00:00:00")
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def check(name: str, properties: Json, linked: Collection[str]) -> None:
    """Raise AzureError 400 for a pipeline that amlite cannot run. `linked` names the factory's linked services."""
    whole = _Pipeline(name, set(properties.get("parameters") or {}), set(properties.get("variables") or {}), linked)
    for key in properties.keys() - _PIPELINE_KEYS:
        if properties[key]:
            raise _refusal(whole, f"{key} is not part of this local Azure")
    if len(json.dumps(properties).encode()) > _MOST_BYTES:
        raise _refusal(whole, f"it has more than {_MOST_BYTES >> 10} KB")
    if len(properties.get("parameters") or {}) > _MOST_PARAMETERS:
        raise _refusal(whole, f"it has more than {_MOST_PARAMETERS} parameters")
    for kind, allowed in (("parameters", _PARAMETER_TYPES), ("variables", _VARIABLE_TYPES)):
        for each, given in (properties.get(kind) or {}).items():
            if str(given.get("type")).lower() not in allowed:
                raise _refusal(
                    whole, f"{kind}.{each}.type must be one of {', '.join(allowed)}, not {given.get('type')}"
                )
    concurrency = properties.get("concurrency")
    if concurrency is not None and (not isinstance(concurrency, int | float) or concurrency < 1 or concurrency % 1):
        raise _refusal(whole, "concurrency must be a whole number from 1")
    activities = properties.get("activities") or []
    _check_lists(whole, activities)
    whole.names = {str(each.get("name")) for each in every(activities)}
    if len(whole.names) < len(list(every(activities))):
        raise _refusal(whole, "two activities have the same name")
    if len(whole.names) > _MOST_ACTIVITIES:
        raise _refusal(whole, f"it has more than {_MOST_ACTIVITIES} activities, inner ones included")
    _check_all(whole, activities, nested=False)


def unsupported(activities: list[Any]) -> list[str]:
    """Return why amlite does not run some activities, for a preview, which may not know their other properties."""
    known = [each for each in activities if isinstance(each, dict)]
    return [_unknown_type(each) for each in every(known) if str(each.get("type")) not in KINDS]


def _unknown_type(activity: Json) -> str:
    return (
        f"the activity '{activity.get('name')}' has the type '{activity.get('type')}', which amlite does not run. It "
        f"runs {', '.join(KINDS)}"
    )


def _check_lists(whole: _Pipeline, activities: Any) -> None:
    """Refuse activities that are not objects in a list. The published models do not say what is inside an activity."""
    listed = fields({"activities": activities}, {"activities": "list:map:any"}, lambda told: _refusal(whole, told))
    for activity in listed["activities"]:
        inside = fields(activity, _ACTIVITY, lambda told: _refusal(whole, told))
        given = fields(inside.get("typeProperties", {}), _GIVEN, lambda told: _refusal(whole, told))
        for before in inside.get("dependsOn", []):
            fields(before, _DEPENDENCY, lambda told: _refusal(whole, told))
        kind = KINDS.get(str(activity.get("type")))
        for key in kind.inner if kind else ():
            _check_lists(whole, given.get(key) or [])


def every(activities: list[Json]) -> Iterator[Json]:
    """Yield activities, and those inside them."""
    for activity in activities:
        yield activity
        kind = KINDS.get(str(activity.get("type")))
        for key in kind.inner if kind else ():
            yield from every((activity.get("typeProperties") or {}).get(key) or [])


def _check_all(whole: _Pipeline, activities: list[Json], *, nested: bool) -> None:
    beside = {activity["name"] for activity in activities if "name" in activity}
    for activity in activities:
        _check(whole, activity, beside, nested=nested)
    graph = {each["name"]: {before["activity"] for before in each.get("dependsOn") or []} for each in activities}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise _refusal(whole, f"activities depend on each other in a circle: {' -> '.join(error.args[1])}") from error


def _check(whole: _Pipeline, activity: Json, beside: Collection[str], *, nested: bool) -> None:
    name = str(activity.get("name") or "")
    if _NAME.fullmatch(name) is None:
        raise _refusal(whole, f"'{name}' is not a valid name of an activity")
    kind = KINDS.get(str(activity.get("type")))
    if kind is None:
        raise _refusal(whole, _unknown_type(activity))
    if nested and kind.inner:
        raise _refusal(whole, f"the activity '{name}' ({activity['type']}) cannot be inside another activity")
    for key in activity.keys() - _ACTIVITY.keys():
        raise _refusal(whole, f"the activity '{name}': {key} is not part of this local Azure")
    given = activity.get("typeProperties") or {}
    missing = [key for key in kind.required if given.get(key) in (None, "")]
    if missing:
        raise _refusal(whole, f"the activity '{name}' needs typeProperties.{missing[0]}")
    for key in given.keys() - {*kind.required, *kind.optional}:
        raise _refusal(whole, f"the activity '{name}': typeProperties.{key} is not part of this local Azure")
    _check_dependencies(whole, activity, beside)
    _check_policy(whole, activity, kind)
    _check_expressions(whole, name, {key: value for key, value in given.items() if key not in kind.inner})
    _check_own(whole, name, str(activity["type"]), activity, given)
    for key in kind.inner:
        _check_all(whole, given.get(key) or [], nested=True)


def _check_dependencies(whole: _Pipeline, activity: Json, beside: Collection[str]) -> None:
    for before in activity.get("dependsOn") or []:
        if before.get("activity") not in beside:
            raise _refusal(
                whole,
                f"the activity '{activity['name']}' depends on '{before.get('activity')}', which is not beside it",
            )
        conditions = before.get("dependencyConditions") or []
        if not conditions or any(each not in _CONDITIONS for each in conditions):
            raise _refusal(
                whole,
                f"the activity '{activity['name']}': dependencyConditions must be some of {', '.join(_CONDITIONS)}",
            )


def _check_policy(whole: _Pipeline, activity: Json, kind: Kind) -> None:
    policy = activity.get("policy") or {}
    if policy and not kind.policy:
        raise _refusal(whole, f"the activity '{activity['name']}' is a control activity, which has no policy")
    for key in policy.keys() - _POLICY_KEYS:
        raise _refusal(whole, f"the activity '{activity['name']}': policy.{key} is not part of this local Azure")
    try:
        span(policy.get("timeout", "00:10:00"))
        retries, pause = int(policy.get("retry", 0)), int(policy.get("retryIntervalInSeconds", 30))
    except (ValueError, TypeError) as error:
        raise _refusal(whole, f"the activity '{activity['name']}': policy: {error}") from error
    if retries < 0 or not 30 <= pause <= 86_400:
        raise _refusal(
            whole,
            f"the activity '{activity['name']}': policy.retry is at least 0, and policy.retryIntervalInSeconds between "
            "30 and 86400",
        )


def _check_expressions(whole: _Pipeline, name: str, value: Any) -> None:
    try:
        expressions.check(value)
    except expressions.ExpressionError as error:
        raise _refusal(whole, f"the activity '{name}': {error}") from error
    found = expressions.references(value)
    for kind, known in (("activity", whole.names), ("variables", whole.variables), ("parameters", whole.parameters)):
        for each in sorted(found[kind] - set(known)):
            raise _refusal(whole, f"the activity '{name}' refers to the unknown {_SINGULAR[kind]} '{each}'")


_SINGULAR = {"activity": "activity", "variables": "variable", "parameters": "parameter"}


def _check_own(whole: _Pipeline, name: str, kind: str, activity: Json, given: Json) -> None:
    wrong = None
    if kind == "WebActivity":
        wrong = _web_problem(given)
    elif kind == "SetVariable" and given["variableName"] not in whole.variables:
        wrong = f"the pipeline has no variable '{given['variableName']}'"
    elif kind in ("Until", "IfCondition") and (given["expression"] or {}).get("type") != "Expression":
        wrong = 'expression must be {"value": "@…", "type": "Expression"}'
    elif kind == "DatabricksJob":
        reference = (activity.get("linkedServiceName") or {}).get("referenceName")
        if reference not in whole.linked:
            raise invalid_reference(str(reference))
    if kind == "Until" and wrong is None:
        try:
            span(given.get("timeout", "7.00:00:00"))
        except ValueError as error:
            wrong = f"timeout: {error}"
    if wrong is not None:
        raise _refusal(whole, f"the activity '{name}': {wrong}")


def _web_problem(given: Json) -> str | None:
    method = str(given["method"]).upper()
    if method not in _METHODS:
        return f"method must be one of {', '.join(_METHODS)}"
    if method in ("POST", "PUT", "PATCH") and given.get("body") is None:
        return f"a request with the method {method} needs a body"
    if method == "GET" and given.get("body") is not None:
        return "a request with the method GET has no body"
    for key in ("datasets", "linkedServices"):
        if given.get(key):
            return f"{key} are not part of this local Azure"
    authentication = given.get("authentication")
    if authentication and (authentication.get("type") != "MSI" or set(authentication) != {"type", "resource"}):
        return "amlite has authentication of the type MSI with a resource only"
    try:
        seconds = span(given.get("httpRequestTimeout", "00:01:00"))
    except ValueError as error:
        return f"httpRequestTimeout: {error}"
    return None if 60 <= seconds <= 600 else "httpRequestTimeout must be between 00:01:00 and 00:10:00"


def invalid_reference(name: str) -> AzureError:
    """Return Data Factory's error for a document that refers to another one that does not exist."""
    return AzureError(
        400, "BadRequest", f"The document creation or update failed because of invalid reference '{name}'."
    )


def _refusal(whole: _Pipeline, message: str) -> AzureError:
    return AzureError(400, "BadRequest", f"The pipeline '{whole.name}' is not valid: {message}.")
