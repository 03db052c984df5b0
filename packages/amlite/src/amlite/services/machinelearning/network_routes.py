"""Provisioning of a workspace's managed network, and the status that the operation ends with."""

from __future__ import annotations

from aiohttp import web

from amlite.core import operations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.routing import ARM_HOST, AUTHENTICATED, Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.machinelearning import networks, references
from amlite.services.machinelearning.addresses import LOCATION, WORKSPACE, workspace_of
from amlite.services.machinelearning.published.validation import writable

routes = Routes(ARM_HOST)
_RESULTS = f"{LOCATION}/managedNetworkProvisionResults"


@routes.post(f"{WORKSPACE}/provisionManagedNetwork")
async def provision(call: Call) -> web.Response:
    """Start to provision the managed network of a workspace."""
    options = writable("ManagedNetworkProvisionOptions", await call.json())
    workspace = workspace_of(call)
    if not networks.is_isolated(workspace.body):
        raise AzureError(
            400, "BadRequest", f"Workspace '{workspace.body['name']}' has no managed network to provision."
        )
    arguments = {"id": workspace.id, "spark": bool(options.get("includeSpark"))}
    operation = call.platform.operations.begin(networks.PROVISION, arguments)
    place = f"/subscriptions/{call.parameters['subscription']}/providers/{references.PROVIDER}/locations/westeurope"
    status, results = f"{place}/mfeOperationsStatus", f"{place}/managedNetworkProvisionResults"
    return web.Response(status=202, headers=operations.headers(call.host, status, results, operation))


@routes.get(f"{_RESULTS}/{{operation}}", action=AUTHENTICATED)
async def get_result(call: Call) -> web.Response:
    """Return 202 until the network is provisioned, then its status."""
    record = call.platform.operations.get(call.parameters["operation"])
    if record["status"] == "InProgress":
        return web.Response(status=202, headers={"Location": str(call.request.url), **operations.pace()})
    if record["status"] != "Succeeded":
        raise AzureError(409, record["error"]["code"], record["error"]["message"])
    workspace = references.workspace(call.platform, record["arguments"]["id"])
    return reply(networks.of(workspace.body)["status"])


async def finish(platform: Platform, arguments: Json) -> None:
    """Do the work of the operation."""
    networks.provision(platform, arguments["id"], spark=arguments["spark"])
