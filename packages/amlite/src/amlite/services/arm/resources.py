"""Resources in ARM: lookup, storage and deletion, as their types define."""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import replace
from itertools import groupby

from amlite.core import directory, names, wire
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.service import Services
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm import providers
from amlite.services.arm.published.validation import MODELS

GROUP_TYPE = "Microsoft.Resources/resourceGroups"
CREATE, DELETE = "arm.create", "arm.delete"
_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_OF_IDENTITIES = ("clientId", "principalId", "tenantId")
_ALIKE = 0.8
# Every type of ARM begins with its provider. The types of what services keep for themselves do not.
_OF_AZURE = "microsoft."
_OUR_OWN = ("id", "name", "type", "systemData", "etag")


def group_of(platform: Platform, id: ResourceId) -> Document:
    """Return the resource group of an id. AzureError 404 if it does not exist."""
    document = platform.store.get(id.group_path)
    if document is None:
        raise AzureError(404, "ResourceGroupNotFound", f"Resource group '{id.group}' could not be found.")
    return document


def resource_of(platform: Platform, id: ResourceId) -> Document:
    """Return a stored resource. ARM's AzureError 404 if it or its group does not exist.

    What a service keeps below a resource, such as its secrets, is no resource.
    """
    document = platform.store.get(str(id))
    if document is None or not document.type.startswith(_OF_AZURE):
        if id.group:
            group_of(platform, id)
        raise AzureError(
            404,
            "ResourceNotFound",
            f"The Resource '{id.type}/{id.name}' under resource group '{id.group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return document


def put_group(platform: Platform, path: str, location: str, tags: Json, **more: str) -> Json:
    """Store a resource group and return its envelope."""
    body: Json = {
        "id": path,
        "name": path.rpartition("/")[2],
        "type": GROUP_TYPE,
        "location": wire.region(location),
        "tags": tags,
        "properties": {"provisioningState": "Succeeded"},
        **more,
    }
    return platform.store.put(path, GROUP_TYPE, body).body


def _are_alike(parts: list[str], others: list[str]) -> bool:
    return len(parts) == len(others) and all(
        difflib.SequenceMatcher(None, part, other).ratio() > _ALIKE for part, other in zip(parts, others, strict=True)
    )


def type_of(platform: Platform, id: ResourceId) -> ResourceType:
    """Return the type of the resource or collection of an id. AzureError 404 if no service has it."""
    types = platform.part(Services).types
    kind = types.get(id.type.lower())
    if kind is None:
        # Part by part: types of one parent are alike, whatever their own names are.
        parts = id.type.lower().split("/")
        alike = [name for name in types if _are_alike(parts, name.split("/"))]
        near = difflib.get_close_matches(id.type.lower(), alike, 1)
        hint = f" Did you mean '{types[near[0]].name}'?" if near else ""
        raise AzureError(
            404,
            "InvalidResourceType",
            f"The resource type '{id.type}' could not be found in the namespace "
            f"'{id.type.partition('/')[0]}' (not part of this local Azure).{hint}",
        )
    return kind


def checked(kind: ResourceType, body: Json) -> Json:
    """Check the body of a PUT, and return it in the types of its published model. AzureError 400 for an invalid one."""
    kind.check_body(body)
    if isinstance(identity := body.get("identity"), dict):
        # Not all models call them read-only. Whoever wrote one would act as somebody else's identity.
        body = {**body, "identity": {key: value for key, value in identity.items() if key not in _OF_IDENTITIES}}
    return MODELS.writable(kind.name, body) if MODELS.has(kind.name) else body


def check_place(platform: Platform, id: ResourceId) -> None:
    """Raise ARM's errors for a new resource: its name, its provider, and what it lies in."""
    kind = type_of(platform, id)
    kind.check_name(id.name)
    providers.require(platform, kind.name.partition("/")[0])
    if id.group:
        group_of(platform, id)
    if id.scope is not None and id.scope.segments:
        # Only the top level, because children such as containers can be created in the data plane.
        resource_of(platform, replace(id.scope, segments=id.scope.segments[:2]))
    parent = id.parent
    if parent is not None and platform.store.get(str(parent)) is None:
        raise AzureError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform 'PUT' on resource(s) of type '{id.type}', because "
            f"the parent resource '{parent}' could not be found.",
        )


def check_change(platform: Platform, principal: Principal | None, id: ResourceId, body: Json) -> None:
    """Raise the errors of a caller that may write a resource, but not with this body."""
    kind, old = type_of(platform, id), platform.store.get(str(id))
    if kind.check_change is not None and principal is not None and old is not None:
        kind.check_change(platform, principal, id, body, old.body)
    check_links(platform, principal, id, body)


def check_links(platform: Platform, principal: Principal | None, id: ResourceId, body: Json) -> None:
    """Raise ARM's 403 unless the caller may use the resources that a body names: its identities, and new links."""
    identity = body.get("identity")
    named = identity.get("userAssignedIdentities") if isinstance(identity, dict) else None
    wanted = [(name, _ASSIGN) for name in named] if isinstance(named, dict) else []
    kind, old = type_of(platform, id), platform.store.get(str(id))
    kept = set(_links(platform, kind, old.body)) if old is not None else set()
    wanted += [link for link in _links(platform, kind, body) if link not in kept]
    for scope, action in wanted:
        if principal is not None and not platform.access.allowed(principal, scope, action):
            raise AzureError(
                403,
                "LinkedAuthorizationFailed",
                f"The client '{principal.client_id}' with object id '{principal.object_id}' has permission to "
                f"perform action '{id.type}/write' on scope '{id}'; however, it does not have permission to perform "
                f"action(s) '{action}' on the linked scope(s) '{scope}' (respectively) or the linked scope(s) "
                "are invalid.",
            )


def _links(platform: Platform, kind: ResourceType, body: Json) -> list[tuple[str, str]]:
    return [*kind.links(body), *(kind.names(platform, body) if kind.names is not None else ())]


async def write(
    platform: Platform,
    id: ResourceId,
    body: Json,
    old: Document | None,
    by: str,
    *,
    principal: Principal | None = None,
    at_once: bool = False,
) -> tuple[Json, str | None]:
    """Store a resource in the form of its type, as the wish of a principal. `body` must be checked.

    Return its envelope, and the id of the operation that completes a longer creation. With `at_once`, there is no such
    operation.
    """
    kind = type_of(platform, id)
    _check_name_and_place(platform, id, kind, body, old)
    envelope: Json = {key: value for key, value in body.items() if key not in _OUR_OWN}
    envelope["properties"] = dict(body.get("properties") or {})
    if kind.located:
        envelope["location"] = wire.region(body["location"])
        envelope.setdefault("tags", {})
    if kind.prepare is not None:
        envelope = kind.prepare(platform, id, envelope, old.body if old else None)
    system = wire.modified(by, platform.clock.stamp(), old.body if old else None)
    envelope = {"id": str(id), "name": id.name, "type": kind.name, **envelope, "systemData": system}
    waits = kind.asynchronous and not at_once and (old is None or bool(platform.part(Services).created(kind.name)))
    envelope["properties"]["provisioningState"] = ("Updating" if old else "Creating") if waits else "Succeeded"
    platform.store.put(str(id), kind.name, envelope)
    if kind.written is not None and principal is not None:
        kind.written(platform, principal, id)
    if old is not None and (gone := _own_principal(old.body)) not in (None, _own_principal(envelope)):
        directory.remove(platform.store, str(gone))
    if waits:
        return envelope, platform.operations.begin(CREATE, {"id": str(id)}, resource_id=str(id))
    await provision(platform, str(id))
    return envelope, None


def _own_principal(body: Json) -> str | None:
    """Return the principal of a resource's system-assigned identity, if it has one."""
    principal: str | None = (body.get("identity") or {}).get("principalId")
    return principal


def _check_name_and_place(
    platform: Platform, id: ResourceId, kind: ResourceType, body: Json, old: Document | None
) -> None:
    """Raise Azure's 409 for a name that another resource has, and for a resource that is in another region."""
    if (kind.globally_unique and old is None) and (
        names.is_live(platform, kind, id.name) or names.is_linked(platform, kind, id.name, str(id))
    ):
        code, text = kind.taken
        raise AzureError(409, code, text.format(name=id.name))
    if old and kind.located and wire.region(old.body["location"]) != wire.region(body["location"]):
        raise AzureError(
            409,
            "InvalidResourceLocation",
            f"The resource '{id.name}' already exists in location '{old.body['location']}' "
            f"in resource group '{id.group}'. A resource with the same name cannot be created in location "
            f"'{body['location']}'.",
        )


async def make(platform: Platform, path: str, body: Json, by: str) -> None:
    """Create a complete resource for a service, unless it exists."""
    if platform.store.get(path) is None:
        await write(platform, ResourceId.of(path), body, None, by, at_once=True)


async def provision(platform: Platform, path: str) -> None:
    """Run the hooks of a resource's creation or change."""
    id = ResourceId.of(path)
    for hook in platform.part(Services).created(id.type):
        await hook(platform, id)


async def finish_creation(platform: Platform, arguments: Json) -> None:
    """Run the hooks of a resource's creation, then mark it Succeeded (or Failed)."""
    state = "Failed"
    try:
        await provision(platform, arguments["id"])
        state = "Succeeded"
    finally:
        document = platform.store.get(arguments["id"])
        if document is not None:
            document.body["properties"]["provisioningState"] = state
            platform.store.put(document.id, document.type, document.body)


async def finish_deletion(platform: Platform, arguments: Json) -> None:
    """Remove a resource or group and everything below it, deepest first, each with its own deletion and its identity.

    Resources of types with a retention are soft-deleted, unless the deletion `purges`.
    """
    path, purges = arguments["id"], arguments.get("purges", False)
    services = platform.part(Services)
    found = [*platform.store.below(path), *filter(None, [platform.store.get(path)])]
    found.sort(key=lambda document: (-document.id.count("/"), -document.sequence))
    for kind, documents in groupby(found, key=lambda document: document.type):
        ids = [ResourceId.of(document.id) for document in documents] if (hooks := services.deleting(kind)) else []
        for hook in hooks:
            await asyncio.gather(*(hook(platform, id) for id in ids))
    for document in found:
        retention = services.types[document.type].retention if document.type in services.types else None
        if retention is not None and not purges:
            platform.deleted.keep(document.body, retention(document.body))
        if (gone := _own_principal(document.body)) is not None:
            directory.remove(platform.store, gone)
    platform.store.delete(path)
    if purges:
        platform.deleted.forget(path)
