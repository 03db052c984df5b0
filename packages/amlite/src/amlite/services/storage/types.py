"""Storage accounts and their containers, as ARM keeps them."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.arm.types import Json, ResourceType
from amlite.services.storage import azurite

ACCOUNT_TYPE = "Microsoft.Storage/storageAccounts"
KEYS_TYPE = "storage/keys"


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    name = id.name
    endpoints = {part: f"https://{name}.{part}.core.windows.net/" for part in ("blob", "dfs", "file", "queue", "table")}
    if platform.store.get(f"{KEYS_TYPE}/{name}") is None:
        keys = {"account": name, "id": str(id), "key1": _new_key(), "key2": _new_key()}
        platform.store.put(f"{KEYS_TYPE}/{name}", KEYS_TYPE, keys)
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
    await azurite.ensure(platform)  # whose start takes seconds, before somebody waits for it
    service = f"{id}/blobServices/default"
    if platform.store.get(service) is None:
        kind = f"{ACCOUNT_TYPE}/blobServices"
        body = {"id": service, "name": "default", "type": kind, "properties": {"provisioningState": "Succeeded"}}
        platform.store.put(service, kind, body)


async def _deleting(platform: Platform, id: ResourceId) -> None:
    await azurite.remove(platform, id.name)
    platform.store.delete(f"{KEYS_TYPE}/{id.name}")


async def _list_keys(platform: Platform, id: ResourceId, body: Json) -> Any:
    account = platform.store.get(str(id))
    if account and account.body["properties"].get("allowSharedKeyAccess") is False:
        raise AzureError(
            409,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    keys = platform.store.get(f"{KEYS_TYPE}/{id.name}")
    values = keys.body if keys else {}
    return {
        "keys": [
            {"keyName": name, "value": values[name], "permissions": "FULL"}
            for name in ("key1", "key2")
            if name in values
        ]
    }


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


TYPES = [
    ResourceType(
        ACCOUNT_TYPE,
        pattern=r"[a-z0-9]{3,24}",
        rule="Storage account name must be between 3 and 24 characters in length and use numbers and lower-case "
        "letters only.",
        required=("sku.name", "kind"),
        globally_unique=True,
        asynchronous=True,
        accepted=True,
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
    ),
]
