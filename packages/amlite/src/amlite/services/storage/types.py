"""Storage accounts and their containers, as ARM keeps them."""

from __future__ import annotations

from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.storage import accounts, azurite, blobs, delegation
from amlite.services.storage.accounts import KEYS_TYPE
from amlite.services.storage.queues import QUEUE_TYPE

ACCOUNT_TYPE = "Microsoft.Storage/storageAccounts"
# What anybody may read, as the resource and as the blob service call it.
_LEVELS = {"None": None, "Blob": "blob", "Container": "container"}


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    name = id.name
    endpoints = {part: f"https://{name}.{part}.core.windows.net/" for part in ("blob", "dfs", "file", "queue", "table")}
    accounts.create_keys(platform, name, str(id))
    properties = {
        "minimumTlsVersion": "TLS1_0",
        "supportsHttpsTrafficOnly": True,
        **body["properties"],
        "primaryEndpoints": endpoints,
        "primaryLocation": body["location"],
        "statusOfPrimary": "available",
    }
    return {**body, "properties": properties}


async def _created(platform: Platform, id: ResourceId) -> None:
    await azurite.ensure(platform)  # starting it takes seconds, so it starts before the first request
    for part in ("blobServices", "queueServices"):
        service, kind = f"{id}/{part}/default", f"{ACCOUNT_TYPE}/{part}"
        if platform.store.get(service) is None:
            body = {"id": service, "name": "default", "type": kind, "properties": {"provisioningState": "Succeeded"}}
            platform.store.put(service, kind, body)


def _prepare_container(platform: Platform, id: ResourceId, body: Json, _old: Json | None) -> Json:
    properties = {"publicAccess": "None", **body["properties"]}
    if properties["publicAccess"] not in _LEVELS:
        raise AzureError(400, "InvalidRequestPropertyValue", f"publicAccess must be one of {', '.join(_LEVELS)}.")
    keys = accounts.keys_of(platform, id.segments[1]) or {}
    if properties["publicAccess"] != "None" and not accounts.public_access_allowed(platform, keys.get("id", "")):
        raise AzureError(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")
    return {**body, "properties": properties}


async def _container_created(platform: Platform, id: ResourceId) -> None:
    account, document = id.segments[1], platform.store.get(str(id))
    level = _LEVELS[document.body["properties"]["publicAccess"]] if document else None
    await blobs.create_container(platform, account, id.name)
    if await blobs.public_access(platform, account, id.name) != level:
        await azurite.set_public_access(platform, account, id.name, level)


async def _container_deleting(platform: Platform, id: ResourceId) -> None:
    if accounts.keys_of(platform, id.segments[1]) is not None:  # else its account is being deleted
        await blobs.delete_container(platform, id.segments[1], id.name)


async def _deleting(platform: Platform, id: ResourceId) -> None:
    await azurite.remove(platform, id.name)
    platform.store.delete(f"{KEYS_TYPE}/{id.name}")
    delegation.forget(platform, id.name)


async def _list_keys(platform: Platform, id: ResourceId, body: Json) -> Any:
    if not accounts.shared_key_allowed(platform, str(id)):
        raise AzureError(
            409,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    values = accounts.keys_of(platform, id.name) or {}
    return {
        "keys": [
            {"keyName": name, "value": values[name], "permissions": "FULL"}
            for name in ("key1", "key2")
            if name in values
        ]
    }


TYPES = [
    ResourceType(
        ACCOUNT_TYPE,
        pattern=r"[a-z0-9]{3,24}",
        rule="Storage account name must be between 3 and 24 characters in length and use numbers and lower-case "
        "letters only.",
        required=("sku.name", "kind"),
        globally_unique=True,
        taken=("StorageAccountAlreadyTaken", "The storage account named {name} is already taken."),
        asynchronous=True,
        deleted_at_once=True,
        creation=202,
        prepare=_prepare,
        created=_created,
        deleting=_deleting,
        actions={"listkeys": _list_keys},
    ),
    ResourceType(f"{ACCOUNT_TYPE}/blobServices", pattern="default", located=False),
    ResourceType(
        f"{ACCOUNT_TYPE}/blobServices/containers",
        pattern=r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*",
        rule="Container names are 3-63 lower-case letters, digits and single hyphens.",
        located=False,
        prepare=_prepare_container,
        created=_container_created,
        deleting=_container_deleting,
    ),
    ResourceType(f"{ACCOUNT_TYPE}/queueServices", pattern="default", located=False),
    ResourceType(
        QUEUE_TYPE,
        pattern=r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*",
        rule="Queue names are 3-63 lower-case letters, digits and single hyphens.",
        located=False,
        creation=200,
    ),
]
