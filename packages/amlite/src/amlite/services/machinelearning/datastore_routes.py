"""Datastores in the data plane of a region, where azureml-fsspec, mltable and azureml-dataprep read them.

Sources: the models of `azureml._restclient` in the package azureml-core, and the requests of azureml-dataprep-rslex.
"""

from __future__ import annotations

from aiohttp import web

from amlite.core.resource_id import ResourceId
from amlite.core.routing import Call, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import datastores, references
from amlite.services.machinelearning.addresses import WORKSPACE, data_routes, workspace_of
from amlite.services.machinelearning.references import WORKSPACE_TYPE

_STORES = f"/datastore/v1.0{WORKSPACE}"
_READ = f"{WORKSPACE_TYPE}/datastores/read"
_SECRETS = f"{WORKSPACE_TYPE}/datastores/listSecrets/action"
_KINDS = {"AzureBlob": "AzureBlob", "AzureFile": "AzureFile", "AzureDataLakeGen2": "AzureDataLakeGen2"}

routes = data_routes()


@routes.get(f"{_STORES}/datastores/{{name}}", action=_READ)
async def get_datastore(call: Call) -> web.Response:
    """Describe a datastore, with its secrets for callers that may list them."""
    found = references.datastore(call.platform, workspace_of(call).id, call.parameters["name"])
    return reply(await _shown(call, found))


@routes.get(f"{_STORES}/default", action=_READ)
async def get_default(call: Call) -> web.Response:
    """Describe the workspace's default datastore."""
    found = references.datastore(call.platform, workspace_of(call).id, datastores.DEFAULT)
    return reply(await _shown(call, found))


async def _shown(call: Call, found: Document) -> Json:
    properties = found.body["properties"]
    kind = str(properties["datastoreType"])
    secrets: Json = {}
    may = call.principal is None or call.platform.access.allowed(call.principal, found.id, _SECRETS)
    if may and properties["credentials"]["credentialsType"] != "None":
        secrets = dict(await datastores.list_secrets(call.platform, ResourceId.of(found.id), {}))
    section = "azureDataLakeSection" if kind == "AzureDataLakeGen2" else "azureStorageSection"
    return {
        "name": found.body["name"],
        "dataStoreType": _KINDS.get(kind, "Custom"),
        "hasBeenValidated": True,
        "isDefault": bool(properties.get("isDefault")),
        "tags": properties.get("tags") or {},
        section: {**_place(properties), **_credentials(properties["credentials"], secrets)},
    }


def _place(properties: Json) -> Json:
    return {
        "accountName": properties.get("accountName"),
        "containerName": properties.get("containerName")
        or properties.get("filesystem")
        or properties.get("fileShareName"),
        "endpoint": properties.get("endpoint"),
        "protocol": properties.get("protocol"),
        "subscriptionId": properties.get("subscriptionId"),
        "resourceGroup": properties.get("resourceGroup"),
        "serviceDataAccessAuthIdentity": properties.get("serviceDataAccessAuthIdentity", "None"),
        "storeName": properties.get("accountName"),
    }


def _credentials(given: Json, secrets: Json) -> Json:
    kind = given["credentialsType"] if secrets else "None"
    if kind == "AccountKey":
        return {
            "credentialType": "AccountKey",
            "credential": secrets["key"],
            "isSas": False,
            "accountKey": secrets["key"],
        }
    if kind == "Sas":
        token = secrets["sasToken"]
        return {"credentialType": "Sas", "credential": token, "isSas": True, "sasToken": token}
    if kind == "ServicePrincipal":
        client = {
            "clientId": given["clientId"],
            "tenantId": given["tenantId"],
            "clientSecret": secrets["clientSecret"],
            "isCertAuth": False,
            "resourceUri": "https://storage.azure.com/",
            "authorityUrl": "https://login.microsoftonline.com",
        }
        return {"credentialType": "ServicePrincipal", "clientCredentials": client}
    return {"credentialType": "None", "isSas": False}
