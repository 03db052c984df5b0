"""Registries as ARM resources, and the accounts of each region in a registry's managed resource group."""

from __future__ import annotations

import re
import uuid

from amlite import TENANT_ID
from amlite.core import regions, wire
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.arm import resources
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import REGISTRY_TYPE, registry_uri

_OWNER = "Azure Machine Learning"
_ACCOUNT_TYPE = "Microsoft.Storage/storageAccounts"
_IMAGES_TYPE = "Microsoft.ContainerRegistry/registries"


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("Registry", body)
    properties = body["properties"]
    kept = old["properties"] if old else {}
    managed = f"/subscriptions/{resource_id.subscription}/resourceGroups/azureml-rg-{resource_id.name}_{uuid.uuid4()}"
    group = kept.get("managedResourceGroup") or {"resourceId": managed}
    details = _regions(resource_id.name, body["location"], properties.get("regionDetails") or [], kept, group)
    host = f"{wire.region(body['location'])}.api.azureml.ms"
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
            "regionDetails": details,
            "managedResourceGroup": group,
            "discoveryUrl": f"https://{host}/registrymanagement/v1.0/registries/{resource_id.name}/discovery",
            "mlFlowRegistryUri": f"azureml://{host}/mlflow/v1.0{resource_id}",
        },
    }


def _regions(name: str, home: str, wanted: list[Json], kept: Json, group: Json) -> list[Json]:
    """Return the details of every region, with its existing accounts and those that do not exist yet."""
    places = [wire.region(str(detail.get("location") or "")) for detail in wanted]
    if not all(places) or len(set(places)) != len(places):
        raise AzureError(400, "UserError", "properties.regionDetails: every region needs a location of its own.")
    for place in places:
        regions.require(place, REGISTRY_TYPE)
    if wire.region(home) not in places:
        raise AzureError(400, "UserError", f"properties.regionDetails must hold the registry's own location '{home}'.")
    before = {str(detail["location"]): detail for detail in kept.get("regionDetails", [])}
    if gone := before.keys() - set(places):
        raise AzureError(
            400, "UserError", f"properties.regionDetails: the regions {', '.join(sorted(gone))} cannot be removed."
        )
    if any("userCreated" in key for detail in wanted for part in _parts(detail) for key in part):
        raise AzureError(
            400, "UserError", "properties.regionDetails: this local Azure creates a registry's accounts itself."
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
    """Create the managed resource group and its missing resources."""
    document = resources.resource_of(platform, resource_id)
    properties = document.body["properties"]
    group = properties["managedResourceGroup"]["resourceId"]
    location = document.body["location"]
    if platform.store.get(group) is None:
        resources.put_group(platform, group, location, document.body["tags"], managedBy=document.id)
    for detail in properties["regionDetails"]:
        place = {"location": detail["location"], "tags": {}}
        for account in (part["systemCreatedStorageAccount"] for part in detail["storageAccountDetails"]):
            settings = {"allowBlobPublicAccess": account["allowBlobPublicAccess"], "allowSharedKeyAccess": False}
            body: Json = {
                **place,
                "kind": "StorageV2",
                "sku": {"name": account["storageAccountType"]},
                "properties": settings,
            }
            await resources.make(platform, account["armResourceId"]["resourceId"], body, _OWNER)
    images = properties["regionDetails"][0]["acrDetails"][0]["systemCreatedAcrAccount"]
    body = {"location": location, "tags": {}, "sku": {"name": images["acrAccountSku"]}, "properties": {}}
    await resources.make(platform, images["armResourceId"]["resourceId"], body, _OWNER)


async def _deleting(platform: Platform, resource_id: ResourceId) -> None:
    """Delete the registry's assets and its managed resource group."""
    properties = resources.resource_of(platform, resource_id).body["properties"]
    await resources.finish_deletion(platform, {"id": properties["managedResourceGroup"]["resourceId"]})
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
