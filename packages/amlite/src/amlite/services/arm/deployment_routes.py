"""The HTTP surface of deployments to resource groups."""

from __future__ import annotations

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.listing import page
from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.services.arm import deployments, polling, resources

routes = Routes(ARM_HOST)
_ALL = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{deployments.TYPE}"
_ONE = f"{_ALL}/{{deployment}}"
_OF_SUBSCRIPTION = f"/subscriptions/{{subscription}}/providers/{deployments.TYPE}/{{deployment}}"
# Resource Manager's own resources had no provider in their paths. The clients still list operations by these.
_EARLIER = "/subscriptions/{subscription}/resourceGroups/{group}/deployments/{deployment}"


@routes.get(_ALL)
async def list_deployments(call: Call) -> web.Response:
    """List the deployments to a resource group, the newest first."""
    id = call.resource_id
    resources.group_of(call.platform, id)
    found = [each.body for each in call.platform.store.below(id.group_path, deployments.TYPE)]
    return page(call, sorted(found, key=lambda body: str(body["properties"]["timestamp"]), reverse=True))


@routes.put(_ONE)
async def put_deployment(call: Call) -> web.Response:
    """Deploy a template."""
    id, body = call.resource_id, await call.json()
    resources.group_of(call.platform, id)
    old = call.platform.store.get(str(id))
    envelope, operation = deployments.begin(call.platform, id, body, call.principal)
    return reply(envelope, 200 if old else 201, polling.headers(call, id, operation))


@routes.get(_ONE)
async def get_deployment(call: Call) -> web.Response:
    """Describe a deployment: its state, its outputs, and what it deployed."""
    return reply(deployments.deployment(call.platform, call.resource_id).body)


@routes.route("HEAD", _ONE)
async def head_deployment(call: Call) -> web.Response:
    """Say whether a deployment exists."""
    return web.Response(status=204 if call.platform.store.get(str(call.resource_id)) else 404)


@routes.delete(_ONE)
async def delete_deployment(call: Call) -> web.Response:
    """Delete the record of a deployment. What it deployed stays."""
    return web.Response(status=204 if call.platform.store.delete(str(call.resource_id)) else 404)


@routes.post(f"{_ONE}/validate", action=f"{deployments.TYPE}/validate/action")
async def validate(call: Call) -> web.Response:
    """Say whether a template can be deployed."""
    id, body = _deployment(call), await call.json()
    template = deployments.check(call.platform, id, body.get("properties"), call.principal)
    properties = {"mode": "Incremental", "parameters": template.shown_parameters(), "provisioningState": "Succeeded"}
    return reply({"id": str(id), "name": id.name, "type": deployments.TYPE, "properties": properties})


@routes.post(f"{_ONE}/whatIf")
async def what_if(call: Call) -> web.Response:
    """Refuse to predict what a deployment would change."""
    raise AzureError(501, "NotImplemented", f"'{call.path}': what-if is not part of this local Azure.")


@routes.put(_OF_SUBSCRIPTION)
async def put_subscription_deployment(call: Call) -> web.Response:
    """Refuse a deployment to the subscription."""
    told = "deployments to a subscription are not part of this local Azure; deploy to a resource group"
    raise AzureError(501, "NotImplemented", f"'{call.path}': {told}.")


@routes.post(f"{_ONE}/exportTemplate", action=f"{deployments.TYPE}/exportTemplate/action")
async def export_template(call: Call) -> web.Response:
    """Return the template of a deployment."""
    return reply({"template": deployments.template(call.platform, _deployment(call))})


@routes.get(f"{_ONE}/operations", action=f"{deployments.TYPE}/operations/read")
@routes.get(f"{_EARLIER}/operations", action=f"{deployments.TYPE}/operations/read")
async def list_operations(call: Call) -> web.Response:
    """List what a deployment did, with one entry for each resource."""
    id = _deployment(call)
    deployments.deployment(call.platform, id)
    return page(call, deployments.operations(call.platform, id))


@routes.get(f"{_ONE}/operations/{{operation}}", action=f"{deployments.TYPE}/operations/read")
@routes.get(f"{_EARLIER}/operations/{{operation}}", action=f"{deployments.TYPE}/operations/read")
async def get_operation(call: Call) -> web.Response:
    """Describe what a deployment did to one resource."""
    name = call.parameters["operation"]
    for each in deployments.operations(call.platform, _deployment(call)):
        if each["operationId"].lower() == name.lower():
            return reply(each)
    raise AzureError(404, "DeploymentOperationNotFound", f"Deployment operation '{name}' could not be found.")


def _deployment(call: Call) -> ResourceId:
    id = call.resource_id
    return ResourceId(id.subscription, id.group, "Microsoft.Resources", ("deployments", call.parameters["deployment"]))
