"""Deployments of templates to a resource group: what a template needs, its run, and the record of both.

Sources: deployments.json of azure-rest-api-specs, "ARM template deployment modes" and "Troubleshoot common Azure
deployment errors".
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from amlite.core import expressions
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm import resources
from amlite.services.arm.templates import NESTED, Described, Place, Template, check_count, invalid

TYPE = NESTED
RUN = "arm.deploy"
_STATE = "arm/deployment-state"
_FIELDS = {"mode": "str", "parameters": "map:any", "template": "map:any"}


class _Later(dict[str, Any]):
    """What `reference` returns before a deployment runs: it has every property."""

    def __missing__(self, key: str) -> _Later:
        return self


@dataclass(frozen=True)
class Step:
    """One resource of a deployment, with the template that describes it."""

    template: Template
    resource: Described
    within: tuple[str, ...]  # the names of the nested deployments that it belongs to

    @property
    def id(self) -> ResourceId:
        """The resource."""
        return self.resource.id

    def references(self) -> list[str]:
        """Return the ids that the body refers to. AzureError 400 for a body that cannot be evaluated."""
        found: list[str] = []

        def note(id: ResourceId) -> Json:
            found.append(str(id).lower())
            return _Later()

        try:
            self.template.noting(note).value(self.resource.body)
        except AzureError:
            if not found:
                raise
        return found


def begin(platform: Platform, id: ResourceId, body: Json, principal: Principal | None) -> tuple[Json, str]:
    """Start a deployment and return its envelope and operation. ARM's AzureError for a template that it refuses."""
    properties = body.get("properties")
    template = check(platform, id, properties, principal)
    old = platform.store.get(str(id))
    if old is not None and old.body["properties"]["provisioningState"] == "Running":
        raise AzureError(
            409,
            "DeploymentActive",
            f"Unable to edit or replace deployment '{id.name}': previous deployment from "
            f"'{old.body['properties']['timestamp']}' is still active. Please see https://aka.ms/arm-deploy for usage "
            "details.",
        )
    envelope: Json = {
        "id": str(id),
        "name": id.name,
        "type": TYPE,
        "tags": body.get("tags") or {},
        "properties": {
            "mode": "Incremental",
            "provisioningState": "Running",
            "parameters": template.shown_parameters(),
            "timestamp": platform.clock.stamp(),
            "duration": "PT0S",
            "correlationId": str(uuid.uuid4()),
        },
    }
    platform.store.put(str(id), TYPE, envelope)
    resolved = {"template": template.source, "parameters": template.resolved()}
    who = asdict(principal) if principal else None
    state: Json = {"properties": resolved, "principal": who, "operations": []}
    platform.store.put(_state_of(id), _STATE, state)
    return envelope, platform.operations.begin(RUN, {"id": str(id)}, resource_id=str(id))


def check(platform: Platform, id: ResourceId, properties: Any, principal: Principal | None) -> Template:
    """Return the template of a deployment. ARM's AzureError for one that cannot be deployed by the caller."""
    if not isinstance(properties, dict) or not isinstance(properties.get("template"), dict):
        raise AzureError(
            400, "InvalidRequestContent", "properties.template: this local Azure takes templates inside a request only."
        )
    properties = fields(properties, _FIELDS)
    if refused := _refused(properties):
        raise AzureError(400, "InvalidRequestContent", f"properties.{refused}.")
    with expressions.limited():
        template = _template(platform, id, properties)
        _permit(platform, _planned(platform, template), principal)
    return template


def _refused(properties: Json) -> str:
    """Return what a deployment asks for and does not get here, or an empty text."""
    if str(properties.get("mode") or "Incremental").lower() != "incremental":
        return "mode: this local Azure has the mode Incremental only"
    found = [name for name in ("onErrorDeployment", "parametersLink", "templateLink") if properties.get(name)]
    return f"{found[0]}: not part of this local Azure" if found else ""


def _permit(platform: Platform, steps: list[Step], principal: Principal | None) -> None:
    """Raise ARM's AzureError 403 if the caller may not deploy one of the resources."""
    denied = [text for step in steps for text in _denied(platform, step, principal)]
    if denied:
        raise AzureError(
            403, "InvalidTemplateDeployment", f"Deployment failed with multiple errors: {', '.join(denied)}"
        )


async def run(platform: Platform, arguments: Json) -> None:
    """Deploy the resources of a deployment, one after the other, and note how it ended.

    The caller's permissions are checked again: the place of a resource may depend on another resource, or on the time.
    """
    id = ResourceId.of(arguments["id"])
    state = _state(platform, id)
    started = platform.clock.now()
    changed: Json = {"provisioningState": "Failed"}
    try:
        principal = Principal(**state["principal"]) if state["principal"] else None
        with expressions.limited():
            template = _template(platform, id, state["properties"], _found(platform, principal))
            steps = _planned(platform, template)
        made = [await _deploy(platform, id, step, principal) for step in steps]
        with expressions.limited():
            outputs = template.outputs()
        found = {"outputResources": [{"id": each} for each in made], **({"outputs": outputs} if outputs else {})}
        changed = {"provisioningState": "Succeeded", **found}
    except asyncio.CancelledError:  # amlite stops; its next start deploys again
        changed = {}
        raise
    except AzureError as error:
        detail = error.body()["error"]
        failure = AzureError(
            400,
            "DeploymentFailed",
            "At least one resource deployment operation failed. Please list deployment operations for details. Please "
            f"see https://aka.ms/arm-deployment-operations for usage details. {detail['code']}: {detail['message']}",
            details=[detail],
        )
        changed["error"] = failure.body()["error"]
        raise failure from error
    finally:
        document = platform.store.get(str(id))
        if document is not None:
            seconds = (platform.clock.now() - started).total_seconds()
            times = {"timestamp": platform.clock.stamp(), "duration": f"PT{seconds:.7f}S"}
            document.body["properties"] |= {**changed, **times}
            platform.store.put(document.id, TYPE, document.body)


def deployment(platform: Platform, id: ResourceId) -> Document:
    """Return a deployment. ARM's AzureError 404 if there is none."""
    resources.group_of(platform, id)
    document = platform.store.get(str(id))
    if document is None:
        raise AzureError(404, "DeploymentNotFound", f"Deployment '{id.name}' could not be found.")
    return document


def operations(platform: Platform, id: ResourceId) -> list[Json]:
    """Return the operations of a deployment, one for each resource."""
    found: list[Json] = _state(platform, id)["operations"]
    return found


def template(platform: Platform, id: ResourceId) -> Json:
    """Return the template of a deployment."""
    found: Json = _state(platform, id)["properties"]["template"]
    return found


def _template(
    platform: Platform, id: ResourceId, properties: Json, referenced: Callable[[ResourceId], Json] | None = None
) -> Template:
    place = Place(id.subscription, resources.group_of(platform, id).body)
    given = properties.get("parameters") or {}
    found = referenced or (lambda _id: _Later())
    made = Template(properties["template"], given, place, id.name, platform.clock.stamp(), found)
    made.check()
    return made


def _found(platform: Platform, principal: Principal | None) -> Callable[[ResourceId], Json]:
    """Return the function that finds what a template refers to: AzureError 403 if the caller may not read it."""

    def find(id: ResourceId) -> Json:
        if principal is not None:
            platform.access.require(principal, str(id), f"{id.type}/read")
        if id.namespace is not None and id.type.lower() != TYPE.lower():
            resources.type_of(platform, id)  # what Resource Manager does not show, such as a job, has private parts
        return resources.resource_of(platform, id).body

    return find


def _steps(
    platform: Platform, template: Template, after: tuple[str, ...] = (), within: tuple[str, ...] = ()
) -> Iterator[Step]:
    """Yield the resources of a template and, in place of nested deployments, those of their templates."""
    for each in template.resources():
        waits = Described(each.id, (*each.after, *after), each.body, each.deployed)
        if each.id.type.lower() != NESTED.lower() or not each.deployed:
            if each.deployed:
                resources.type_of(platform, each.id)
            yield Step(template, waits, within)
        else:
            yield from _steps(platform, _nested(platform, template, each), waits.after, (*within, *_names(each.id)))


def _nested(platform: Platform, template: Template, described: Described) -> Template:
    """Return the template of a nested deployment, which has the outer one's parameters unless its scope is inner."""
    body = described.body
    properties = fields(
        body.get("properties") or {}, {"expressionEvaluationOptions": "map:str", "parameters": "map:any"}
    )
    source = properties.get("template")
    if not isinstance(source, dict):
        raise invalid(f"The nested deployment '{described.id.name}' has no template")
    if refused := _refused(properties):
        raise invalid(f"The nested deployment '{described.id.name}', properties.{refused}")
    subscription = template.value(body.get("subscriptionId") or template.place.subscription)
    group = template.value(body.get("resourceGroup") or described.id.group)
    place = ResourceId.of(f"/subscriptions/{subscription}/resourceGroups/{group}")
    given = template.resolved()
    if (properties.get("expressionEvaluationOptions") or {}).get("scope", "outer").lower() == "inner":
        given = template.value(properties.get("parameters") or {})
    else:
        source = {**source, **{key: template.source.get(key) or {} for key in ("parameters", "variables")}}
    inner = Place(place.subscription, resources.group_of(platform, place).body)
    made = Template(source, given, inner, described.id.name, template.now, template.referenced)
    made.check()
    return made


def _planned(platform: Platform, template: Template) -> list[Step]:
    """Return the resources to deploy in their order. AzureError 400 for too many, in nested deployments too."""
    steps: list[Step] = []
    for step in _steps(platform, template):
        steps.append(step)
        check_count("resources", len(steps))
    return _ordered(steps)


def _ordered(steps: list[Step]) -> list[Step]:
    """Return the resources to deploy, each after those that it waits for. AzureError 400 if some wait in a circle."""
    named: dict[str, set[int]] = {}
    for index, step in enumerate(steps):
        for name in (*_names(step.id), *step.within):
            named.setdefault(name, set()).add(index)
    waits: dict[int, set[int]] = {}
    for index, step in enumerate(steps):
        waits[index] = set()
        if not step.resource.deployed:
            continue
        for name in step.resource.after:
            if name not in named:
                raise invalid(f"The resource '{name}' is not defined in the template")
            waits[index] |= named[name] - {index}
        for name in step.references():
            waits[index] |= named.get(name, set()) - {index}
    try:
        order = list(TopologicalSorter(waits).static_order())
    except CycleError as error:
        circle = ", ".join(str(steps[index].id) for index in error.args[1])
        raise invalid(f"Circular dependency detected on resources: '{circle}'") from error
    return [steps[index] for index in order if steps[index].resource.deployed]


def _names(id: ResourceId) -> tuple[str, ...]:
    """Return what `dependsOn` may call a resource: its id, its name, and both type and name."""
    name = "/".join(id.segments[1::2])
    return str(id).lower(), name.lower(), f"{id.type}/{name}".lower()


def _denied(platform: Platform, step: Step, principal: Principal | None) -> Iterator[str]:
    """Yield what the caller may not do to deploy a resource."""
    action = f"{step.id.type}/write"
    if principal is not None and not platform.access.allowed(principal, str(step.id), action):
        yield (
            f"'Authorization failed for template resource '{step.id.name}' of type '{step.id.type}'. The client "
            f"'{principal.client_id}' with object id '{principal.object_id}' does not have permission to perform "
            f"action '{action}' at scope '{step.id}'.'"
        )
    identity = step.resource.body.get("identity")
    try:
        resources.check_links(platform, principal, step.id, {"identity": step.template.value(identity)})
    except AzureError as error:
        yield f"'{error.body()['error']['message']}'"


async def _deploy(platform: Platform, deployment_id: ResourceId, step: Step, principal: Principal | None) -> str:
    """Deploy one resource, and note it among the operations of the deployment."""
    started = platform.clock.now()
    outcome: Json = {"provisioningState": "Failed"}
    try:
        with expressions.limited():
            _permit(platform, [step], principal)
            body = step.template.value(step.resource.body)
        await _write(platform, step.id, body, principal)
        outcome = {"provisioningState": "Succeeded", "statusCode": "OK"}
    except AzureError as error:
        message = {"status": "Failed", "error": error.body()["error"]}
        outcome |= {"statusCode": str(error.status), "statusMessage": message}
        raise
    finally:
        state = _state(platform, deployment_id)
        key = uuid.uuid4().hex.upper()
        seconds = (platform.clock.now() - started).total_seconds()
        target = {"id": str(step.id), "resourceType": step.id.type, "resourceName": step.id.name}
        properties: Json = {
            "provisioningOperation": "Create",
            **outcome,
            "timestamp": platform.clock.stamp(),
            "duration": f"PT{seconds:.7f}S",
            "trackingId": str(uuid.uuid4()),
            "targetResource": target,
        }
        each = {"id": f"{deployment_id}/operations/{key}", "operationId": key, "properties": properties}
        state["operations"].append(each)
        platform.store.put(_state_of(deployment_id), _STATE, state)
    return str(step.id)


async def _write(platform: Platform, id: ResourceId, body: Json, principal: Principal | None) -> None:
    """Create or update a resource as a PUT does, and wait until it is there."""
    kind = resources.type_of(platform, id)
    resources.check_place(platform, id)
    wanted = body if kind.located else {key: value for key, value in body.items() if key != "location"}
    checked = resources.checked(kind, wanted)
    # Not before: the text "false" is a boolean only then.
    resources.check_change(platform, principal, id, checked)
    by = principal.client_id if principal else ""
    old = platform.store.get(str(id))
    _, operation = await resources.write(platform, id, checked, old, by, principal=principal)
    record = await platform.operations.ended(operation) if operation is not None else {}
    if record.get("status") == "Failed":
        raise AzureError(
            409,
            "ResourceDeploymentFailure",
            "The resource write operation failed to complete successfully, because it reached terminal provisioning "
            f"state 'Failed'. {record['error']['code']}: {record['error']['message']}",
            details=[record["error"]],
        )


def _state(platform: Platform, id: ResourceId) -> Json:
    document = platform.store.get(_state_of(id))
    if document is None:
        raise AzureError(404, "DeploymentNotFound", f"Deployment '{id.name}' could not be found.")
    return document.body


def _state_of(id: ResourceId) -> str:
    return f"{id}/state"
