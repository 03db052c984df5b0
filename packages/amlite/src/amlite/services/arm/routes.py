"""ARM's HTTP surface: subscriptions, resource groups, and every method on resources of the registered types."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.core import operations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.routing import Call, Json, Routes, reply
from amlite.core.store import Document
from amlite.services.arm import polling
from amlite.services.arm.types import ResourceType

routes = Routes("management.azure.com")
GROUP_TYPE = "Microsoft.Resources/resourceGroups"
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-alpha|-privatepreview)?")
_LOCATIONS = (
    "westeurope",
    "northeurope",
    "eastus",
    "eastus2",
    "westus2",
    "swedencentral",
    "uksouth",
    "germanywestcentral",
)
_registered: dict[str, ResourceType] = {}


def register(types: list[ResourceType]) -> None:
    """Make a service's resource types known to ARM."""
    _registered.update({kind.name.lower(): kind for kind in types})


def check_subscription(path: str) -> None:
    """Raise Azure's 404 for any subscription but amlite's own: this cloud knows no other."""
    found = re.match(r"/subscriptions/([^/]+)", path, re.IGNORECASE)
    if found and found[1].lower() != SUBSCRIPTION_ID:
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{found[1]}' could not be found.")


@routes.get("/subscriptions")
async def list_subscriptions(call: Call) -> web.Response:
    """List the subscriptions the caller sees: the one."""
    return reply({"value": [_subscription()], "count": {"type": "Total", "value": 1}})


@routes.get("/subscriptions/{subscription}")
async def get_subscription(call: Call) -> web.Response:
    """Describe the subscription."""
    return reply(_subscription())


@routes.get("/subscriptions/{subscription}/locations")
async def list_locations(call: Call) -> web.Response:
    """List the regions."""
    base = f"/subscriptions/{SUBSCRIPTION_ID}/locations"
    return reply({"value": [{"id": f"{base}/{name}", "name": name, "displayName": name} for name in _LOCATIONS]})


@routes.get("/subscriptions/{subscription}/resourceGroups")
async def list_groups(call: Call) -> web.Response:
    """List resource groups."""
    return reply({"value": [doc.body for doc in call.platform.store.of_type(GROUP_TYPE)]})


@routes.put("/subscriptions/{subscription}/resourceGroups/{group}")
async def put_group(call: Call) -> web.Response:
    """Create or update a resource group."""
    id = _id(call)
    body = await call.json()
    if re.fullmatch(r"[-\w.()]{0,89}[-\w()]", id.name) is None:
        raise AzureError(400, "InvalidResourceGroup", f"The provided resource group name '{id.name}' is invalid.")
    if not body.get("location"):
        raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
    old = call.platform.store.get(str(id))
    if old and _region(old.body["location"]) != _region(body["location"]):
        raise AzureError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{body['location']}'. The resource group already exists in location "
            f"'{old.body['location']}'.",
        )
    stored = {
        "id": str(id),
        "name": id.name,
        "type": GROUP_TYPE,
        "location": _region(body["location"]),
        "tags": body.get("tags") or {},
        "properties": {"provisioningState": "Succeeded"},
    }
    call.platform.store.put(str(id), GROUP_TYPE, stored)
    return reply(stored, 200 if old else 201)


@routes.patch("/subscriptions/{subscription}/resourceGroups/{group}")
async def patch_group(call: Call) -> web.Response:
    """Change a resource group's tags."""
    group = group_of(call.platform, _id(call))
    body = await call.json()
    stored = {**group.body, "tags": body.get("tags", group.body["tags"])}
    call.platform.store.put(group.id, GROUP_TYPE, stored)
    return reply(stored)


@routes.get("/subscriptions/{subscription}/resourceGroups/{group}")
async def get_group(call: Call) -> web.Response:
    """Describe a resource group."""
    return reply(group_of(call.platform, _id(call)).body)


@routes.route("HEAD", "/subscriptions/{subscription}/resourceGroups/{group}")
async def head_group(call: Call) -> web.Response:
    """Say whether a resource group exists."""
    return web.Response(status=204 if call.platform.store.get(str(_id(call))) else 404)


@routes.delete("/subscriptions/{subscription}/resourceGroups/{group}")
async def delete_group(call: Call) -> web.Response:
    """Delete a resource group with all that is in it."""
    id = _id(call)
    group_of(call.platform, id)
    operation = call.platform.operations.begin("arm.delete-group", {"id": str(id)}, resource_id=str(id))
    return web.Response(status=202, headers=polling.headers(call, id, operation, final="operationresults"))


@routes.get("/subscriptions/{subscription}/resourceGroups/{group}/resources")
async def list_resources(call: Call) -> web.Response:
    """List what is in a resource group: the resources with a location, as ARM keeps track of no others."""
    id = _id(call)
    group_path = id.group_path
    group_of(call.platform, id)
    tracked = {name for name, kind in _registered.items() if kind.located}
    found = [doc.body for doc in call.platform.store.below(group_path) if doc.type in tracked]
    return reply(
        {"value": [{key: body.get(key) for key in ("id", "name", "type", "location", "tags")} for body in found]}
    )


@routes.route("*", "/{path:path}")
async def resource(call: Call) -> web.Response:
    """Serve a resource of any registered type."""
    id = _id(call)
    _check_version(call, id)
    if call.method == "POST" and id.is_collection:
        return await _act(call, id)
    kind = _kind(id)
    if id.is_collection:
        if call.method != "GET":
            raise AzureError(405, "MethodNotAllowed", f"{call.method} is not allowed on the collection '{id}'.")
        below = call.platform.store.below(str(id.scope) if id.scope else _container(id), kind.name)
        return reply({"value": [doc.body for doc in below]})
    match call.method:
        case "GET" | "HEAD":
            return reply(resource_of(call.platform, id).body)
        case "PUT":
            return await _put(call, id, kind)
        case "PATCH":
            old = resource_of(call.platform, id)
            body = _merge(old.body, await call.json())
            kind.check_body(body)
            return await _store(call, id, kind, body, old)
        case "DELETE":
            return await _delete(call, id, kind)
    raise AzureError(405, "MethodNotAllowed", f"{call.method} is not allowed on '{id}'.")


def group_of(platform: Platform, id: ResourceId) -> Document:
    """Return the resource group an id lies in; AzureError 404 when it does not exist."""
    document = platform.store.get(id.group_path)
    if document is None:
        raise AzureError(404, "ResourceGroupNotFound", f"Resource group '{id.group}' could not be found.")
    return document


def resource_of(platform: Platform, id: ResourceId) -> Document:
    """Return a stored resource; AzureError 404 in ARM's words when it, or its group, does not exist."""
    document = platform.store.get(str(id))
    if document is None:
        if id.group:
            group_of(platform, id)
        raise AzureError(
            404,
            "ResourceNotFound",
            f"The Resource '{id.type}/{id.name}' under resource group '{id.group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return document


@operations.work("arm.create")
async def finish_creation(platform: Platform, arguments: Json) -> None:
    """Do what a type does on creation, then mark the resource Succeeded (or Failed)."""
    id = ResourceId.of(arguments["id"])
    kind = _kind(id)
    try:
        if kind.created is not None:
            await kind.created(platform, id)
    except Exception:
        _set_state(platform, id, "Failed")
        raise
    _set_state(platform, id, "Succeeded")


def _set_state(platform: Platform, id: ResourceId, state: str) -> None:
    document = platform.store.get(str(id))
    if document is not None:
        document.body["properties"]["provisioningState"] = state
        platform.store.put(document.id, document.type, document.body)


@operations.work("arm.delete")
async def finish_deletion(platform: Platform, arguments: Json) -> None:
    """Do what a type does on deletion, then forget the resource and what is below it."""
    id = ResourceId.of(arguments["id"])
    kind = _kind(id)
    if kind.deleting is not None:
        await kind.deleting(platform, id)
    platform.store.delete(str(id))


@operations.work("arm.delete-group")
async def finish_group_deletion(platform: Platform, arguments: Json) -> None:
    """Delete every top-level resource of a group as its own deletion would, then the group."""
    for document in platform.store.below(arguments["id"]):
        id = ResourceId.parse(document.id)
        kind = _registered.get(document.type)
        if id is not None and kind is not None and kind.deleting is not None:
            await kind.deleting(platform, id)
    platform.store.delete(arguments["id"])


async def _put(call: Call, id: ResourceId, kind: ResourceType) -> web.Response:
    kind.check_name(id.name)
    body = await call.json()
    if id.group:
        group_of(call.platform, id)
    if id.scope is not None and id.scope.segments:
        # Only what is at the top: containers and the like may have been made in the data plane.
        resource_of(call.platform, replace(id.scope, segments=id.scope.segments[:2]))
    parent = id.parent
    if parent is not None and call.platform.store.get(str(parent)) is None:
        raise AzureError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform '{call.method}' on resource(s) of type '{id.type}', because "
            f"the parent resource '{parent}' could not be found.",
        )
    kind.check_body(body)
    return await _store(call, id, kind, body, call.platform.store.get(str(id)))


async def _store(call: Call, id: ResourceId, kind: ResourceType, body: Json, old: Document | None) -> web.Response:
    platform = call.platform
    if kind.globally_unique and old is None:
        for other in platform.store.of_type(kind.name):
            if other.body["name"].lower() == id.name.lower():
                raise AzureError(409, "AlreadyExists", f"The name '{id.name}' is already in use for {kind.name}.")
    if old and kind.located and _region(old.body["location"]) != _region(body["location"]):
        raise AzureError(
            409,
            "InvalidResourceLocation",
            f"The resource '{id.name}' already exists in location '{old.body['location']}' "
            f"in resource group '{id.group}'. A resource with the same name cannot be created in location "
            f"'{body['location']}'.",
        )
    envelope: Json = {
        key: value for key, value in body.items() if key not in ("id", "name", "type", "systemData", "etag")
    }
    envelope["properties"] = dict(body.get("properties") or {})
    if kind.located:
        envelope["location"] = _region(body["location"])
        envelope.setdefault("tags", {})
    if kind.prepare is not None:
        envelope = kind.prepare(platform, id, envelope, old.body if old else None)
    envelope = {"id": str(id), "name": id.name, "type": kind.name, **envelope, "systemData": system_data(call, old)}
    waits = kind.asynchronous and not (old and kind.created is None)
    envelope["properties"]["provisioningState"] = ("Updating" if old else "Creating") if waits else "Succeeded"
    platform.store.put(str(id), kind.name, envelope)
    headers = {}
    if waits:
        operation = platform.operations.begin("arm.create", {"id": str(id)}, resource_id=str(id))
        headers = polling.headers(call, id, operation)
    elif kind.created is not None:
        await kind.created(platform, id)
    if waits and old is None and kind.accepted:
        return web.Response(status=202, headers=headers)
    return reply(envelope, 200 if old else 201, headers)


async def _delete(call: Call, id: ResourceId, kind: ResourceType) -> web.Response:
    if call.platform.store.get(str(id)) is None:
        return web.Response(status=204)
    if kind.asynchronous:
        operation = call.platform.operations.begin("arm.delete", {"id": str(id)}, resource_id=str(id))
        return web.Response(status=202, headers=polling.headers(call, id, operation))
    await finish_deletion(call.platform, {"id": str(id)})
    return web.Response(status=200)


async def _act(call: Call, id: ResourceId) -> web.Response:
    target = ResourceId(id.subscription, id.group, id.namespace, id.segments[:-1], id.scope)
    kind = _kind(target)
    action = (kind.actions or {}).get(id.segments[-1].lower())
    if action is None:
        raise AzureError(
            404, "InvalidResourceType", f"The action '{id.segments[-1]}' of '{kind.name}' is not known here."
        )
    resource_of(call.platform, target)
    return reply(await action(call.platform, target, await call.json()))


def system_data(call: Call, old: Document | None) -> Json:
    """Return `systemData` for a write by the caller, keeping who created the resource and when."""
    who = call.principal.client_id if call.principal else ""
    now = call.platform.clock.stamp()
    first = (old.body.get("systemData") if old else None) or {
        "createdBy": who,
        "createdByType": "Application",
        "createdAt": now,
    }
    return {**first, "lastModifiedBy": who, "lastModifiedByType": "Application", "lastModifiedAt": now}


def _id(call: Call) -> ResourceId:
    id = ResourceId.parse(call.path)
    if id is None:
        raise AzureError(404, "InvalidResourcePath", f"'{call.path}' is not a path of this API.")
    return id


def _container(id: ResourceId) -> str:
    """Return the id whose subtree holds a collection's members."""
    parent = id.parent
    return str(parent) if parent else id.group_path


def _kind(id: ResourceId) -> ResourceType:
    kind = _registered.get(id.type.lower())
    if kind is None:
        near = difflib.get_close_matches(id.type.lower(), _registered, 1)
        hint = f" Did you mean '{_registered[near[0]].name}'?" if near else ""
        raise AzureError(
            404,
            "InvalidResourceType",
            f"The resource type '{id.type}' could not be found in the namespace "
            f"'{id.namespace}' (not part of this local Azure).{hint}",
        )
    return kind


def _check_version(call: Call, id: ResourceId) -> None:
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


def _region(location: str) -> str:
    return location.replace(" ", "").lower()


def _subscription() -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION_ID}",
        "subscriptionId": SUBSCRIPTION_ID,
        "tenantId": TENANT_ID,
        "displayName": "local",
        "state": "Enabled",
    }
