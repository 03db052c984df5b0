"""Workspaces: required properties, properties the service adds, and default datastores."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from amlite import TENANT_ID
from amlite.core import directory
from amlite.core.directory import PrincipalKind
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.machinelearning import datastores, identity_roles, networks, outbound_rules
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import WORKSPACE_TYPE, workspace
from amlite.services.managedidentity import identities

# Property -> (the resource type of its value, whether it is required).
_PARTS = {
    "storageAccount": ("Microsoft.Storage/storageAccounts", True),
    "keyVault": ("Microsoft.KeyVault/vaults", True),
    "applicationInsights": ("Microsoft.Insights/components", True),
    "containerRegistry": ("Microsoft.ContainerRegistry/registries", False),
}
_FIXED = ("storageAccount", "keyVault", "hbiWorkspace")
_RETENTION = dt.timedelta(days=14)
_DEFAULTS: Json = {
    "hbiWorkspace": False,
    "publicNetworkAccess": "Enabled",
    "v1LegacyMode": False,
    "allowPublicAccessWhenBehindVnet": False,
    "storageHnsEnabled": False,
    "privateLinkCount": 0,
    "systemDatastoresAuthMode": "accessKey",
    "enableDataIsolation": False,
}


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    if old is None and platform.deleted.get(str(resource_id)) is not None:
        raise AzureError(
            400, "BadRequest", "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete"
        )
    if (kind := str(body.get("kind") or "Default")).lower() != "default":
        raise AzureError(
            400,
            "BadRequest",
            f"amlite has workspaces of the kind Default only, not hubs, projects or others: '{kind}'.",
        )
    # The template of azure-ai-ml has empty text for what is not set.
    given = {key: value for key, value in body["properties"].items() if value != ""}
    body = writable("Workspace", {**body, "properties": given})
    properties = body["properties"]
    for name, (kind, required) in _PARTS.items():
        properties |= _part(platform, name, kind, properties.get(name), required=required)
    for name in _FIXED:
        if old and properties.get(name, old["properties"].get(name)) != old["properties"].get(name):
            raise AzureError(
                400, "BadRequest", f"The property '{name}' of workspace '{resource_id.name}' cannot be changed."
            )
    network = networks.prepared(platform, str(resource_id), properties.get("managedNetwork"), old)
    kept = old["properties"] if old else {"workspaceId": str(uuid.uuid4()), "creationTime": platform.clock.stamp()}
    host = f"{body['location']}.api.azureml.ms"
    identity = _identity(platform, body.get("identity") or {"type": "SystemAssigned"}, (old or {}).get("identity"))
    if identity["type"] == "UserAssigned" and not properties.get("primaryUserAssignedIdentity"):
        raise AzureError(
            400,
            "BadRequest",
            "properties.primaryUserAssignedIdentity is required when identity.type is UserAssigned.",
        )
    primary = str(properties.get("primaryUserAssignedIdentity") or "").lower()
    if primary and primary not in {name.lower() for name in identity.get("userAssignedIdentities") or {}}:
        raise AzureError(
            400, "BadRequest", "properties.primaryUserAssignedIdentity must be one of identity.userAssignedIdentities."
        )
    if old is None:
        identity_roles.require(platform, properties)
    return {
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        **body,
        "identity": identity,
        "properties": {
            "friendlyName": resource_id.name,
            **_DEFAULTS,
            **properties,
            **({"managedNetwork": network} if network else {}),
            "workspaceId": kept["workspaceId"],
            "creationTime": kept["creationTime"],
            "tenantId": TENANT_ID,
            "discoveryUrl": f"https://{host}/discovery",
            "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{resource_id}",
        },
    }


def _part(platform: Platform, name: str, kind: str, given: str | None, *, required: bool) -> Json:
    """Check that a part of the workspace exists. Return its id in its original spelling."""
    if not given:
        if required:
            raise AzureError(400, "ValidationError", f"Missing dependent resources in workspace json: {name}.")
        return {}
    document = platform.store.get(given)
    if document is None or document.type != kind.lower():
        raise AzureError(
            400,
            "ValidationError",
            f"The resource '{given}' that properties.{name} names was not found; it must be a {kind}.",
        )
    return {name: document.id}


def _identity(platform: Platform, wanted: Json, old: Json | None) -> Json:
    kinds = [kind.strip() for kind in wanted["type"].split(",")]
    identity: Json = {"type": ",".join(kinds)}
    if any(kind.lower() == "systemassigned" for kind in kinds):
        principal = (old or {}).get("principalId") or str(uuid.uuid4())
        directory.register(platform.store, principal, PrincipalKind.SERVICE_PRINCIPAL)
        identity |= {"principalId": principal, "tenantId": TENANT_ID}
    if any(kind.lower() == "userassigned" for kind in kinds):
        named = wanted.get("userAssignedIdentities") or {}
        if not named:
            raise AzureError(400, "BadRequest", "identity.userAssignedIdentities must name at least one identity.")
        identity["userAssignedIdentities"] = identities.assigned(platform, named)
    return identity


async def _created(platform: Platform, resource_id: ResourceId) -> None:
    made = workspace(platform, str(resource_id))
    await datastores.create_defaults(platform, made)
    if networks.is_isolated(made.body):
        outbound_rules.require(platform, made.id)
        properties = made.body["properties"]
        if properties.get("provisionNetworkNow") and properties["provisioningState"] == "Creating":
            networks.provision(platform, made.id)


async def _list_keys(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    properties = workspace(platform, str(resource_id)).body["properties"]
    insights = platform.store.get(properties["applicationInsights"])
    return {
        "userStorageResourceId": properties["storageAccount"],
        "appInsightsInstrumentationKey": insights.body["properties"]["InstrumentationKey"] if insights else None,
    }


TYPES = [
    ResourceType(
        WORKSPACE_TYPE,
        pattern=r"[a-zA-Z0-9][\w-]{2,32}",
        rule="Workspace names are 3-33 letters, digits, hyphens and underscores and begin with a letter or digit.",
        linked={
            **{f"properties.{name}": "write" for name in _PARTS},
            "properties.managedNetwork.outboundRules.*.destination.serviceResourceId": identity_roles.APPROVAL,
        },
        retention=lambda _body: _RETENTION,
        purges_by="forceToPurge",
        lists_deleted=True,
        asynchronous=True,
        creation=202,
        prepare=_prepare,
        created=_created,
        actions={"listkeys": _list_keys},
    )
]
