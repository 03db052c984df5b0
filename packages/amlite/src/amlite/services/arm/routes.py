"""ARM's HTTP surface: subscriptions, resource groups, and every method on resources of the services' types."""

from __future__ import annotations

import re

from aiohttp import web

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core import preconditions, regions, wire
from amlite.core.errors import AzureError
from amlite.core.listing import page
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.routing import ARM_HOST, AUTHENTICATED, Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm import inventory, polling, resources
from amlite.services.arm.resources import GROUP_TYPE, group_of, resource_of, type_of

routes = Routes(ARM_HOST)
public_routes = Routes(ARM_HOST, audiences=None)
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-alpha|-privatepreview)?")
_GROUP_FIELDS = {"location": "str", "tags": "map:str", "properties": "map:any", "managedBy": "str"}
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_OPERATION = "/subscriptions/{subscription}/providers/{namespace}/locations/{location}"


@public_routes.get("/metadata/endpoints")
async def describe_cloud(call: Call) -> web.Response:
    """Describe this cloud, for clients without built-in addresses of Azure."""
    return reply(
        [
            {
                "name": "AzureCloud",
                "portal": "https://portal.azure.com",
                "resourceManager": "https://management.azure.com/",
                "authentication": {
                    "loginEndpoint": "https://login.microsoftonline.com/",
                    "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                    "tenant": "common",
                    "identityProvider": "AAD",
                },
                "graphAudience": "https://graph.windows.net/",
                "suffixes": {
                    "storage": "core.windows.net",
                    "keyVaultDns": "vault.azure.net",
                    "acrLoginServer": "azurecr.io",
                },
            }
        ]
    )


routes.get(f"{_OPERATION}/operationStatuses/{{operation}}", action=AUTHENTICATED)(polling.get_status)
routes.get(f"{_OPERATION}/operationResults/{{operation}}", action=AUTHENTICATED)(polling.get_result)
routes.get("/subscriptions/{subscription}/operationresults/{operation}", action=AUTHENTICATED)(polling.get_group_result)


@routes.get("/subscriptions")
async def list_subscriptions(call: Call) -> web.Response:
    """List the subscriptions of the caller: amlite's only one."""
    return reply({"value": [_subscription()], "count": {"type": "Total", "value": 1}})


@routes.get("/subscriptions/{subscription}")
async def get_subscription(call: Call) -> web.Response:
    """Describe the subscription."""
    return reply(_subscription())


@routes.get("/subscriptions/{subscription}/locations")
async def list_locations(call: Call) -> web.Response:
    """List the regions."""
    base = f"/subscriptions/{SUBSCRIPTION_ID}/locations"
    found = [{"id": f"{base}/{name}", "name": name, "displayName": title} for name, title in regions.TITLES.items()]
    return reply({"value": found})


@routes.get("/subscriptions/{subscription}/resourceGroups")
async def list_groups(call: Call) -> web.Response:
    """List resource groups."""
    return reply({"value": [doc.body for doc in call.platform.store.of_type(GROUP_TYPE)]})


@routes.put(_GROUP)
async def put_group(call: Call) -> web.Response:
    """Create or update a resource group."""
    id = call.resource_id
    body = await call.json(_GROUP_FIELDS)
    if re.fullmatch(r"[-\w.()]{0,89}[-\w()]", id.name) is None:
        raise AzureError(400, "InvalidResourceGroup", f"The provided resource group name '{id.name}' is invalid.")
    if not body.get("location"):
        raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
    regions.require_of_group(body["location"])
    old = call.platform.store.get(str(id))
    if old and wire.region(old.body["location"]) != wire.region(body["location"]):
        raise AzureError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{body['location']}'. The resource group already exists in location "
            f"'{old.body['location']}'.",
        )
    stored = resources.put_group(call.platform, str(id), body["location"], body.get("tags") or {})
    return reply(stored, 200 if old else 201)


@routes.patch(_GROUP)
async def patch_group(call: Call) -> web.Response:
    """Change a resource group's tags."""
    body = await call.json()
    group = group_of(call.platform, call.resource_id)
    stored = {**group.body, "tags": body.get("tags", group.body["tags"])}
    call.platform.store.put(group.id, GROUP_TYPE, stored)
    return reply(stored)


@routes.get(_GROUP)
async def get_group(call: Call) -> web.Response:
    """Describe a resource group."""
    return reply(group_of(call.platform, call.resource_id).body)


@routes.route("HEAD", _GROUP)
async def head_group(call: Call) -> web.Response:
    """Say whether a resource group exists."""
    return web.Response(status=204 if call.platform.store.get(str(call.resource_id)) else 404)


@routes.delete(_GROUP)
async def delete_group(call: Call) -> web.Response:
    """Delete a resource group with all that is in it."""
    id = call.resource_id
    group_of(call.platform, id)
    return _deleted_later(call, id)


@routes.get(f"{_GROUP}/resources")
async def list_resources(call: Call) -> web.Response:
    """List the resources of a resource group that have a location; ARM does not track others."""
    id = call.resource_id
    group_of(call.platform, id)
    return page(call, _resources(call, id.group_path))


@routes.get("/subscriptions/{subscription}/resources", action=AUTHENTICATED)
async def list_all_resources(call: Call) -> web.Response:
    """List the resources of the subscription that have a location and that the caller may read."""
    access, caller = call.platform.access, call.principal
    found = _resources(call, f"/subscriptions/{call.parameters['subscription']}")
    readable = [each for each in found if caller and access.allowed(caller, each["id"], f"{each['type']}/read")]
    return page(call, readable)


def _resources(call: Call, container: str) -> list[Json]:
    return inventory.resources(call.platform, container, call.query.get("$filter", ""), call.query.get("$expand", ""))


@routes.route("*", "/{path:path}")
async def resource(call: Call) -> web.Response:
    """Serve a resource of any service's type."""
    id = call.resource_id
    _check_version(call)
    if call.method == "POST" and id.is_collection:
        return await _act(call, id)
    kind = type_of(call.platform, id)
    if id.is_collection:
        return _list(call, id, kind)
    match call.method:
        case "GET" | "HEAD":
            return _answer(kind, resource_of(call.platform, id))
        case "PUT":
            return await _put(call, id, kind)
        case "PATCH":
            change = await call.json()
            old = resource_of(call.platform, id)
            return await _write(call, id, kind, resources.checked(kind, _merge(old.body, change)), old)
        case "DELETE":
            return await _delete(call, id, kind)
    raise AzureError(405, "MethodNotAllowed", f"{call.method} is not allowed on '{id}'.")


def _list(call: Call, id: ResourceId, kind: ResourceType) -> web.Response:
    if call.method != "GET":
        raise AzureError(405, "MethodNotAllowed", f"{call.method} is not allowed on the collection '{id}'.")
    if id.scope is not None:
        container = str(id.scope)
    else:
        container = resource_of(call.platform, id.parent).id if id.parent else id.group_path
    bodies = [_shown(kind, document) for document in call.platform.store.below(container, kind.name)]
    if kind.lists_deleted and id.group is None:
        bodies += [_soft_deleted(each.body) for each in call.platform.deleted.of_type(kind.name)]
    return reply({"value": kind.listed(bodies, call.query) if kind.listed else bodies})


async def _put(call: Call, id: ResourceId, kind: ResourceType) -> web.Response:
    body = await call.json()
    resources.check_place(call.platform, id)
    return await _write(call, id, kind, resources.checked(kind, body), call.platform.store.get(str(id)))


async def _write(call: Call, id: ResourceId, kind: ResourceType, body: Json, old: Document | None) -> web.Response:
    preconditions.require(call.request.headers, old)
    resources.check_change(call.platform, call.principal, id, body)
    envelope, operation = await resources.write(call.platform, id, body, old, call.client, principal=call.principal)
    headers = polling.headers(call, id, operation) if operation else {}
    status = 200 if old else kind.creation
    if status == 202:
        return web.Response(status=status, headers=headers)
    stored = call.platform.store.get(str(id))
    return _answer(kind, stored, envelope, status, headers) if stored else reply(envelope, status, headers)


def _answer(
    kind: ResourceType, stored: Document, body: Json | None = None, status: int = 200, headers: Json | None = None
) -> web.Response:
    return reply(_shown(kind, stored, body), status, {**preconditions.tag(stored), **(headers or {})})


def _shown(kind: ResourceType, stored: Document, body: Json | None = None) -> Json:
    return {**(body or stored.body), **({kind.tag: stored.etag} if kind.tag else {})}


async def _delete(call: Call, id: ResourceId, kind: ResourceType) -> web.Response:
    document = call.platform.store.get(str(id))
    purges = bool(kind.purges_by) and call.query.get(kind.purges_by, "").lower() == "true"
    preconditions.require(call.request.headers, document)
    if document is None:
        if id.group:
            group_of(call.platform, id)
        if purges and call.platform.deleted.get(str(id)) is not None:
            return _deleted_later(call, id, purges=True)
        return web.Response(status=204)
    if kind.check_deletion is not None:
        kind.check_deletion(call.platform, id, document.body)
    if kind.asynchronous and not kind.deleted_at_once:
        return _deleted_later(call, id, purges=purges)
    await resources.finish_deletion(call.platform, {"id": str(id)})
    return web.Response(status=200)


def _soft_deleted(body: Json) -> Json:
    return {**body, "properties": {**body["properties"], "provisioningState": "SoftDeleted"}}


def _deleted_later(call: Call, id: ResourceId, *, purges: bool = False) -> web.Response:
    arguments = {"id": str(id), "purges": purges}
    operation = call.platform.operations.begin(resources.DELETE, arguments, resource_id=str(id))
    return web.Response(status=202, headers=polling.headers(call, id, operation))


async def _act(call: Call, id: ResourceId) -> web.Response:
    target = ResourceId(id.subscription, id.group, id.namespace, id.segments[:-1], id.scope)
    kind = type_of(call.platform, target)
    action = (kind.actions or {}).get(id.segments[-1].lower())
    if action is None:
        raise AzureError(
            404, "InvalidResourceType", f"The action '{id.segments[-1]}' of '{kind.name}' is not known here."
        )
    body = await call.json()
    resource_of(call.platform, target)
    return reply(await action(call.platform, target, body))


def _check_version(call: Call) -> None:
    version = call.query.get("api-version")
    if version is None:
        raise AzureError(
            400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
        )
    if _API_VERSION.fullmatch(version) is None:
        raise AzureError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")


def _merge(old: Json, change: Json) -> Json:
    """Apply a JSON merge patch (RFC 7396)."""
    merged: Json = dict(old)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _subscription() -> Json:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION_ID}",
        "subscriptionId": SUBSCRIPTION_ID,
        "tenantId": TENANT_ID,
        "displayName": "local",
        "state": "Enabled",
        "subscriptionPolicies": {"quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
    }
