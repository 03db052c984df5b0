"""Container registries, as ARM keeps them."""

from __future__ import annotations

from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.containerregistry import admin, distribution

REGISTRY_TYPE = "Microsoft.ContainerRegistry/registries"
SUFFIX = ".azurecr.io"
_SKUS = ("Basic", "Standard", "Premium")
_TAKEN = (
    "AlreadyInUse",
    (
        "The registry DNS name {name}.azurecr.io is already in use. You can check if the name is already claimed "
        "using following API: https://docs.microsoft.com/en-us/rest/api/containerregistry/registries/"
        "checknameavailability"
    ),
)


def _prepare(platform: Platform, resource: ResourceId, body: Json, old: Json | None) -> Json:
    tier = next((sku for sku in _SKUS if sku.lower() == str(body["sku"]["name"]).lower()), None)
    if tier is None:
        raise AzureError(400, "InvalidSku", f"The SKU '{body['sku']['name']}' is not one of {', '.join(_SKUS)}.")
    properties = {
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "dataEndpointEnabled": False,
        "networkRuleBypassOptions": "AzureServices",
        "publicNetworkAccess": "Enabled",
        "zoneRedundancy": "Disabled",
        **body["properties"],
        "creationDate": old["properties"]["creationDate"] if old else platform.clock.stamp(),
        "loginServer": f"{resource.name.lower()}{SUFFIX}",
    }
    return {**body, "sku": {"name": tier, "tier": tier}, "properties": properties}


async def _deleting(platform: Platform, resource: ResourceId) -> None:
    document = platform.store.get(str(resource))
    if document is not None:
        admin.forget(platform, document.body)
    await distribution.remove(platform, resource.name.lower())


async def _list_credentials(platform: Platform, resource: ResourceId, _body: Json) -> Any:
    document = platform.store.get(str(resource))
    if document is None or not document.body["properties"]["adminUserEnabled"]:
        raise AzureError(
            400,
            "UnAuthorizedForCredentialOperations",
            f"Cannot perform credential operations for {resource} as admin user is disabled. Kindly enable admin user "
            "as per docs: https://docs.microsoft.com/en-us/azure/container-registry/container-registry-authentication"
            "#admin-account",
        )
    return admin.credentials(platform, document.body)


async def _no_tasks(_platform: Platform, resource: ResourceId, _body: Json) -> Any:
    image = f"{resource.name.lower()}{SUFFIX}/IMAGE"
    raise AzureError(
        501,
        "NotImplemented",
        "This local Azure has no ACR Tasks, so it does not build images in the registry. Build the image on this "
        f"machine and push it: docker build -t {image} . && docker push {image}",
    )


TYPES = [
    ResourceType(
        REGISTRY_TYPE,
        pattern=r"[a-zA-Z0-9]{5,50}",
        rule="Registry names may contain alphanumeric characters only and must be between 5 and 50 characters.",
        required=("sku.name",),
        globally_unique=True,
        taken=_TAKEN,
        asynchronous=True,
        prepare=_prepare,
        deleting=_deleting,
        actions={
            "listcredentials": _list_credentials,
            **dict.fromkeys(("listbuildsourceuploadurl", "schedulerun"), _no_tasks),
        },
    )
]
