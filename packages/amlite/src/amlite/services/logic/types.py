"""Workflows as ARM resources."""

from __future__ import annotations

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.logic import expressions, runs
from amlite.services.logic.runs import TYPE, Polling
from amlite.services.managedidentity import system_assigned

_STATES = ("Enabled", "Disabled")
_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
_PART = {
    "conditions": "list:map:any",
    "inputs": "map:any",
    "recurrence": "map:any",
    "runAfter": "map:list:str",
    "type": "str",
}
_RESULTS = ("Succeeded", "Failed", "Skipped", "TimedOut")


def _prepare(platform: Platform, _resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    properties: Json = body["properties"]
    for name in ("accessControl", "endpointsConfiguration", "integrationAccount", "parameters"):
        if properties.get(name):
            raise _refusal(f"properties.{name} is not part of this local Azure")
    state = properties.get("state") or "Enabled"
    if state not in _STATES:
        raise _refusal(f"properties.state must be one of {', '.join(_STATES)}")
    identity = system_assigned.assigned(platform, body.get("identity"), old)
    _check_definition(properties["definition"], has_identity=identity is not None)
    added = {
        "state": state,
        "createdTime": (old or {}).get("properties", {}).get("createdTime") or platform.clock.stamp(),
    }
    return {**body, **({"identity": identity} if identity else {}), "properties": {**properties, **added}}


def _check_definition(definition: Json, *, has_identity: bool) -> None:
    # The published models do not say what is inside a definition.
    parts = {"triggers": "map:map:any", "actions": "map:map:any"}
    whole = fields({"definition": definition}, {"definition": "map:any"}, _refusal)["definition"]
    given = fields(whole, parts, _refusal)
    triggers, actions = ({n: fields(part, _PART, _refusal) for n, part in given.get(key, {}).items()} for key in parts)
    if len(triggers) != 1:
        raise _refusal("the definition must have exactly one trigger in this local Azure")
    name, trigger = next(iter(triggers.items()))
    if trigger.get("type") != "Http":
        raise _refusal(f"the trigger '{name}' has the type '{trigger.get('type')}'; amlite has Http triggers only")
    try:
        if runs.interval(trigger["recurrence"]) <= 0:
            raise ValueError
    except (ArithmeticError, KeyError, ValueError, TypeError) as error:
        raise _refusal(
            f"the trigger '{name}' needs a recurrence: a frequency (Second, Minute, Hour, Day, Week) and an interval"
        ) from error
    for each, part in {name: trigger, **actions}.items():
        _check_request(each, part, actions, has_identity=has_identity)


def _check_request(name: str, part: Json, actions: Json, *, has_identity: bool) -> None:
    inputs = fields(part.get("inputs", {}), {"authentication": "map:any", "headers": "map:str"}, _refusal)
    if part.get("type") != "Http":
        raise _refusal(f"'{name}' has the type '{part.get('type')}'; amlite has actions of the type Http only")
    if str(inputs.get("method")).upper() not in _METHODS or not inputs.get("uri"):
        raise _refusal(f"'{name}' needs inputs.method ({', '.join(_METHODS)}) and inputs.uri")
    if authentication := inputs.get("authentication"):
        if authentication.get("type") != "ManagedServiceIdentity" or not authentication.get("audience"):
            raise _refusal(
                f"'{name}': amlite has authentication of the type ManagedServiceIdentity with an audience only"
            )
        if not has_identity:
            raise _refusal(f"'{name}' signs in with a managed identity, and the workflow has none")
    for before, states in (part.get("runAfter") or {}).items():
        if before not in actions:
            raise _refusal(f"'{name}' runs after the unknown action '{before}'")
        if not states or any(state not in _RESULTS for state in states):
            raise _refusal(f"'{name}' runs after '{before}' with one of {', '.join(_RESULTS)}, not {states}")
    for number, condition in enumerate(part.get("conditions") or []):
        if not condition.get("expression"):
            raise _refusal(f"'{name}': conditions[{number}].expression is required")
    try:
        expressions.check([inputs, part.get("conditions") or []])
    except expressions.ExpressionError as error:
        raise _refusal(f"'{name}': {error}") from error


def _refusal(message: str) -> AzureError:
    return AzureError(400, "InvalidTemplate", f"The workflow is not valid: {message}.")


async def _created(platform: Platform, _resource_id: ResourceId) -> None:
    platform.part(Polling).changed.set()


async def _deleting(platform: Platform, resource_id: ResourceId) -> None:
    document = platform.store.get(str(resource_id))
    if document is not None:
        system_assigned.forget(platform, document.body)
        runs.forget(platform, document.id)


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[\w().-]{1,43}",
        rule="Workflow names are 1-43 letters, digits, underscores, hyphens, periods and parentheses.",
        required=("properties.definition",),
        creation=201,
        prepare=_prepare,
        created=_created,
        deleting=_deleting,
    )
]
