"""Long-running operations as clients follow them: the headers that say where to look, and what is found there."""

from __future__ import annotations

from aiohttp import web

from amlite.core import operations
from amlite.core.errors import AzureError
from amlite.core.resource_id import ResourceId
from amlite.core.routing import AUTHENTICATED, Call, Routes, reply

routes = Routes("management.azure.com")


@routes.get(
    "/subscriptions/{subscription}/providers/{namespace}/locations/{location}/operationStatuses/{operation}",
    action=AUTHENTICATED,
)
async def get_status(call: Call) -> web.Response:
    """Say how a long-running operation fares, in ARM's shape."""
    record = call.platform.operations.get(call.parameters["operation"])
    body = {"id": call.path, "name": record["name"], "status": record["status"], "startTime": record["startTime"]}
    if record["status"] == "InProgress":
        return reply(body, headers=operations.pace())
    body["endTime"] = record["endTime"]
    if "error" in record:
        body["error"] = record["error"]
    return reply(body)


@routes.get("/subscriptions/{subscription}/operationresults/{operation}", action=AUTHENTICATED)
async def get_result(call: Call) -> web.Response:
    """Answer 202 until a deletion is done, then 200."""
    record = call.platform.operations.get(call.parameters["operation"])
    if record["status"] == "InProgress":
        return web.Response(status=202, headers={"Location": str(call.request.url), **operations.pace()})
    if record["status"] == "Failed":
        raise AzureError(409, record["error"]["code"], record["error"]["message"])
    return web.Response(status=200)


@routes.get(
    "/subscriptions/{subscription}/providers/{namespace}/locations/{location}/operationResults/{operation}",
    action=AUTHENTICATED,
)
async def get_resource_result(call: Call) -> web.Response:
    """Answer 202 until the operation is done, then with the resource or 204."""
    record = call.platform.operations.get(call.parameters["operation"])
    if record["status"] == "InProgress":
        return web.Response(status=202, headers={"Location": str(call.request.url), **operations.pace()})
    if record["status"] != "Succeeded":
        raise AzureError(409, record["error"]["code"], record["error"]["message"])
    document = call.platform.store.get(record["resourceId"] or "")
    return reply(document.body) if document else web.Response(status=204)


def headers(call: Call, id: ResourceId, operation: str, final: str = "operationResults") -> dict[str, str]:
    """Return the headers that tell a client where to look for the end of an operation on a resource, and how often."""
    base = f"/subscriptions/{id.subscription}"
    if id.namespace is None:
        return {
            "Location": f"https://{call.host}{base}/{final}/{operation}?api-version=2021-04-01",
            **operations.pace(),
        }
    place = f"{base}/providers/{id.namespace}/locations/westeurope"
    return call.platform.operations.status_headers(
        operation, f"{place}/operationStatuses", f"{place}/{final}", host=call.host
    )
