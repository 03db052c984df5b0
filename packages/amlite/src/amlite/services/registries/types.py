"""Registries as ARM keeps them, and the accounts that each region of one has in its managed resource group."""

from __future__ import annotations

import re
import uuid

from amlite import TENANT_ID
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published.validation import writable
from amlite.core.resource_id import ResourceId
from amlite.services.arm import routes as arm
from amlite.services.arm.types import Json, ResourceType
from amlite.services.machinelearning.references import REGISTRY_TYPE, registry_uri

_ACCOUNT_TYPE = "Microsoft.Storage/storageAccounts"
_IMAGES_TYPE = "Microsoft.ContainerRegistry/registries"


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("Registry", body)
    properties = body["properties"]
    kept = old["properties"] if old else {}
    managed = f"/subscriptions/{resource_id.subscription}/resourceGroups/azureml-rg-{resource_id.name}_{uuid.uuid4()}"
    group = kept.get("managedResourceGroup") or {"resourceId": managed}
    regions = _regions(resource_id.name, body["location"], properties.get("regionDetails") or [], kept, group)
    host = f"{body['location'].replace(' ', '').lower()}.api.azureml.ms"
    identity = {
        "type": "SystemAssigned",
        "principalId": ((old or {}).get("identity") or {}).get("principalId") or str(uuid.uuid4()),
        "tenantId": TENANT_ID,
    }
    return {
        **body,
        "identity": identity,
        "properties": {
            "publicNetworkAccess": "Enabled",
            **properties,
            "regionDetails": regions,
            "managedResourceGroup": group,
            "discoveryUrl": f"https://{host}/registrymanagement/v1.0/registries/{resource_id.name}/discovery",
            "mlFlowRegistryUri": f"azureml://{host}/mlflow/v1.0{resource_id}",
        },
    }


def _regions(name: str, home: str, wanted: list[Json], kept: Json, group: Json) -> list[Json]:
    """Return the details of every region, with the accounts that are there and those to be made."""
    places = [str(detail.get("location") or "").replace(" ", "").lower() for detail in wanted]
    if not all(places) or len(set(places)) != len(places):
        raise AzureError(400, "UserError", "properties.regionDetails: every region needs a location of its own.")
    if home.replace(" ", "").lower() not in places:
        raise AzureError(400, "UserError", f"properties.regionDetails must hold the registry's own location '{home}'.")
    before = {str(detail["location"]): detail for detail in kept.get("regionDetails", [])}
    if gone := before.keys() - set(places):
        raise AzureError(
            400, "UserError", f"properties.regionDetails: the regions {', '.join(sorted(gone))} cannot be removed."
        )
    if any("userCreated" in key for detail in wanted for part in _parts(detail) for key in part):
        raise AzureError(
            400, "UserError", "properties.regionDetails: this local Azure makes a registry's accounts itself."
        )
    images = next((detail["acrDetails"] for detail in before.values()), None) or [_images(name, group)]
    made = [
        {"location": place, "storageAccountDetails": [_account(name, detail, group)], "acrDetails": images}
        for place, detail in zip(places, wanted, strict=True)
    ]
    return [before.get(str(detail["location"]), detail) for detail in made]


def _parts(detail: Json) -> list[Json]:
    return [*(detail.get("storageAccountDetails") or []), *(detail.get("acrDetails") or [])]


def _account(registry: str, detail: Json, group: Json) -> Json:
    given: Json = next((part["systemCreatedStorageAccount"] for part in detail.get("storageAccountDetails") or []), {})
    name = f"{_letters(registry)[:11]}{uuid.uuid4().hex[:13]}"
    return {
        "systemCreatedStorageAccount": {
            "storageAccountHnsEnabled": False,
            "storageAccountType": "Standard_LRS",
            "allowBlobPublicAccess": False,
            **given,
            "storageAccountName": name,
            "armResourceId": {"resourceId": f"{group['resourceId']}/providers/{_ACCOUNT_TYPE}/{name}"},
        }
    }


def _images(registry: str, group: Json) -> Json:
    name = f"{_letters(registry)[:30]}{uuid.uuid4().hex[:13]}"
    return {
        "systemCreatedAcrAccount": {
            "acrAccountSku": "Premium",
            "acrAccountName": name,
            "armResourceId": {"resourceId": f"{group['resourceId']}/providers/{_IMAGES_TYPE}/{name}"},
        }
    }


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


async def _created(platform: Platform, resource_id: ResourceId) -> None:
    """Make the managed resource group and what is missing in it."""
    document = arm.resource_of(platform, resource_id)
    properties = document.body["properties"]
    group = ResourceId.of(properties["managedResourceGroup"]["resourceId"])
    location = document.body["location"]
    if platform.store.get(str(group)) is None:
        body: Json = {"location": location, "tags": document.body["tags"], "managedBy": document.id}
        state = {"properties": {"provisioningState": "Succeeded"}}
        envelope = {"id": str(group), "name": group.name, "type": arm.GROUP_TYPE, **body, **state}
        platform.store.put(str(group), arm.GROUP_TYPE, envelope)
    for detail in properties["regionDetails"]:
        place = {"location": detail["location"], "tags": {}}
        for account in (part["systemCreatedStorageAccount"] for part in detail["storageAccountDetails"]):
            settings = {"allowBlobPublicAccess": account["allowBlobPublicAccess"], "allowSharedKeyAccess": False}
            body = {
                **place,
                "kind": "StorageV2",
                "sku": {"name": account["storageAccountType"]},
                "properties": settings,
            }
            await _make(platform, account["armResourceId"]["resourceId"], body)
    images = properties["regionDetails"][0]["acrDetails"][0]["systemCreatedAcrAccount"]
    body = {"location": location, "tags": {}, "sku": {"name": images["acrAccountSku"]}, "properties": {}}
    await _make(platform, images["armResourceId"]["resourceId"], body)


async def _make(platform: Platform, path: str, body: Json) -> None:
    """Make a resource as its own PUT would, unless it is there."""
    from amlite import service_list as services  # which knows this module

    if platform.store.get(path) is not None:
        return
    resource_id = ResourceId.of(path)
    kind = next(each for each in services.TYPES if each.name.lower() == resource_id.type.lower())
    made = kind.prepare(platform, resource_id, body, None) if kind.prepare else body
    made["properties"]["provisioningState"] = "Succeeded"
    platform.store.put(path, kind.name, {"id": path, "name": resource_id.name, "type": kind.name, **made})
    if kind.created is not None:
        await kind.created(platform, resource_id)


async def _deleting(platform: Platform, resource_id: ResourceId) -> None:
    """Delete the registry's assets and its managed resource group."""
    properties = arm.resource_of(platform, resource_id).body["properties"]
    await arm.finish_group_deletion(platform, {"id": properties["managedResourceGroup"]["resourceId"]})
    platform.store.delete(registry_uri(resource_id.name))


TYPES = [
    ResourceType(
        REGISTRY_TYPE,
        pattern=r"[a-zA-Z0-9][\w-]{2,32}",
        rule="Registry names are 3-33 letters, digits, hyphens and underscores and begin with a letter or digit.",
        required=("properties.regionDetails",),
        globally_unique=True,
        asynchronous=True,
        prepare=_prepare,
        created=_created,
        deleting=_deleting,
    )
]
