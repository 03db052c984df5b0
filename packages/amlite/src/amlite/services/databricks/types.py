"""Workspaces and access connectors, as ARM keeps them."""

from __future__ import annotations

import zlib

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.arm.resources import put_group
from amlite.services.managedidentity import system_assigned

WORKSPACE_TYPE = "Microsoft.Databricks/workspaces"
CONNECTOR_TYPE = "Microsoft.Databricks/accessConnectors"
CONTENT = "databricks/content"
"""What a workspace holds is kept below this and the workspace's id."""
_SKUS = ("premium", "standard", "trial")
_SHARDS = 20


def _workspace(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    properties: Json = body["properties"]
    for name in ("authorizations", "encryption", "enhancedSecurityCompliance", "uiDefinitionUri"):
        if properties.get(name):
            raise _refusal(f"properties.{name} is not part of this local Azure")
    if str((body.get("sku") or {}).get("name")).lower() not in _SKUS:
        raise _refusal(f"sku.name must be one of {', '.join(_SKUS)}")
    if properties.get("computeMode", "Hybrid") != "Hybrid":
        raise _refusal("properties.computeMode: amlite has workspaces of Hybrid only")
    group = ResourceId.parse(str(properties.get("managedResourceGroupId") or ""))
    if group is None or not group.group or group.namespace:
        raise _refusal("properties.managedResourceGroupId must be the id of a resource group")
    if old is None:
        _check_group(platform, str(resource_id), group.group_path)
        number = _number(platform)
        host = f"adb-{number}.{zlib.crc32(str(resource_id).encode()) % _SHARDS}.azuredatabricks.net"
        made = {"workspaceId": number, "workspaceUrl": host, "createdDateTime": platform.clock.stamp()}
    else:
        if old["properties"]["managedResourceGroupId"].lower() != group.group_path.lower():
            raise _refusal("properties.managedResourceGroupId cannot be changed")
        made = {name: old["properties"][name] for name in ("workspaceId", "workspaceUrl", "createdDateTime")}
    added = {"isUcEnabled": True, "computeMode": "Hybrid", **made}
    return {**body, "properties": {**properties, **added}}


def _check_group(platform: Platform, workspace_id: str, group: str) -> None:
    if platform.store.get(group) is not None and not _manages(platform, workspace_id, group):
        raise AzureError(
            409,
            "ApplianceManagedResourceGroupAlreadyExists",
            f"The managed resource group '{group}' already exists. Choose another one.",
        )


def _manages(platform: Platform, workspace_id: str, group: str) -> bool:
    found = platform.store.get(group)
    return found is not None and str(found.body.get("managedBy") or "").lower() == workspace_id.lower()


async def _workspace_created(platform: Platform, resource_id: ResourceId) -> None:
    document = platform.store.get(str(resource_id))
    if document is not None:
        group = document.body["properties"]["managedResourceGroupId"]
        _check_group(platform, document.id, group)
        put_group(platform, group, document.body["location"], {}, managedBy=document.id)


async def _workspace_deleting(platform: Platform, resource_id: ResourceId) -> None:
    document = platform.store.get(str(resource_id))
    if document is not None:
        group = document.body["properties"]["managedResourceGroupId"]
        if _manages(platform, document.id, group):  # others may have made a group of this name theirs
            platform.store.delete(group)
        platform.store.delete(f"{CONTENT}{document.id}")


def _connector(platform: Platform, _resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    identity = system_assigned.assigned(platform, body.get("identity"), old)
    return {**body, **({"identity": identity} if identity else {})}


async def _connector_deleting(platform: Platform, resource_id: ResourceId) -> None:
    document = platform.store.get(str(resource_id))
    if document is not None:
        system_assigned.forget(platform, document.body)


def _number(platform: Platform) -> str:
    return str(7_000_000_000_000_000 + platform.store.next("databricks/workspaces"))


def _refusal(message: str) -> AzureError:
    return AzureError(400, "InvalidRequestContent", f"{message}.")


TYPES = [
    ResourceType(
        WORKSPACE_TYPE,
        pattern=r"[\w-]{3,64}",
        rule="Databricks workspace names are 3-64 letters, digits, underscores and hyphens.",
        required=("properties.managedResourceGroupId",),
        asynchronous=True,
        prepare=_workspace,
        created=_workspace_created,
        deleting=_workspace_deleting,
    ),
    ResourceType(
        CONNECTOR_TYPE,
        pattern=r"[\w-]{3,64}",
        rule="Access connector names are 3-64 letters, digits, underscores and hyphens.",
        asynchronous=True,
        prepare=_connector,
        deleting=_connector_deleting,
    ),
]
