"""Polling of long-running operations: the headers with the status URL, and the status itself."""

from __future__ import annotations

from aiohttp import web

from amlite.core import operations
from amlite.core.errors import AzureError
from amlite.core.resource_id import ResourceId
from amlite.core.routing import Call, reply
from amlite.core.wire import Json


async def get_status(call: Call) -> web.Response:
    """Return the status of a long-running operation, in ARM's format."""
    record = _record(call)
    body = {"id": call.path, "name": record["name"], "status": record["status"], "startTime": record["startTime"]}
    if record["status"] == "InProgress":
        return reply(body, headers=operations.pace())
    body["endTime"] = record["endTime"]
    if "error" in record:
        body["error"] = record["error"]
    return reply(body)


async def get_result(call: Call) -> web.Response:
    """Answer with 202 until an operation has ended, then with its resource or 204.

    Raises AzureError 403 if the caller may not read the resource.
    """
    record = _record(call)
    if record["status"] == "InProgress":
        return _not_yet(call)
    if record["status"] != "Succeeded":
        raise AzureError(409, record["error"]["code"], record["error"]["message"])
    document = call.platform.store.get(record["resourceId"] or "")
    if document is None:
        return web.Response(status=204)
    id = ResourceId.parse(document.id)  # None for an asset of a registry
    if call.principal is not None and id is not None:
        call.platform.access.require(call.principal, document.id, f"{id.type}/read")
    return reply(document.body)


async def get_group_result(call: Call) -> web.Response:
    """Answer with 202 until the deletion of a resource group has ended, then with 200."""
    record = _record(call)
    if record["status"] == "InProgress":
        return _not_yet(call)
    if record["status"] == "Failed":
        raise AzureError(409, record["error"]["code"], record["error"]["message"])
    return web.Response(status=200)


def headers(call: Call, id: ResourceId, operation: str) -> dict[str, str]:
    """Return the headers with the polling URL of an operation on a resource, and the polling interval."""
    base = f"/subscriptions/{id.subscription}"
    if id.namespace is None:
        address = f"https://{call.host}{base}/operationresults/{operation}?api-version=2021-04-01"
        return {"Location": address, **operations.pace()}
    place = f"{base}/providers/{id.namespace}/locations/westeurope"
    return operations.headers(call.host, f"{place}/operationStatuses", f"{place}/operationResults", operation)


def _record(call: Call) -> Json:
    return call.platform.operations.get(call.parameters["operation"])


def _not_yet(call: Call) -> web.Response:
    return web.Response(status=202, headers={"Location": str(call.request.url), **operations.pace()})
