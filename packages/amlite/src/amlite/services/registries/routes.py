"""The HTTP surface of a registry: its addresses, its assets, uploads and downloads.

A registry's assets are in Resource Manager and in the data plane of the registry's region.
"""

from __future__ import annotations

import datetime as dt
import uuid

from aiohttp import web

from amlite import TENANT_ID
from amlite.core import operations
from amlite.core.errors import AzureError
from amlite.core.listing import active, ordered, page
from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST, AUTHENTICATED, Call, Routes, reply
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.arm import polling
from amlite.services.machinelearning import assets as workspace_assets
from amlite.services.machinelearning import curated, references, shared_assets, versions
from amlite.services.machinelearning.addresses import LOCATION as ARM_LOCATION
from amlite.services.machinelearning.addresses import data_routes, kind_of
from amlite.services.machinelearning.references import KINDS, PROVIDER
from amlite.services.registries import access, assets, copying
from amlite.services.registries.addresses import REGISTRY, readable_registry, registry_of
from amlite.services.storage import blobs, delegation
from amlite.services.storage.blobs import BlobPath

_LIFETIME = dt.timedelta(hours=12)
_PREFIX = "/mferp/managementfrontend"
_REGISTRY = f"{_PREFIX}{REGISTRY}"
_LOCATION = f"{_PREFIX}{ARM_LOCATION}"

routes = data_routes()
arm_routes = Routes(ARM_HOST)


@routes.get("/registrymanagement/v1.0/registries/{registry}/discovery")
async def discover(call: Call) -> web.Response:
    """Return the addresses of a registry."""
    found = references.registry(call.platform, call.parameters["registry"])
    if call.principal is not None and not curated.is_system(found):
        call.platform.access.require(call.principal, found.id, f"{references.REGISTRY_TYPE}/read")
    resource_id = ResourceId.of(found.id)
    places = [detail["location"] for detail in found.body["properties"]["regionDetails"]]
    home = found.body["location"]
    return reply(
        {
            "registryName": found.body["name"],
            "tenantId": TENANT_ID,
            "subscriptionId": resource_id.subscription,
            "resourceGroup": resource_id.group,
            "primaryRegion": home,
            "primaryRegionResourceProviderUri": f"{_base(home)}/",
            "regions": places,
            "registryFqdns": {place: {"uri": _base(place)} for place in places},
        }
    )


routes.get(f"{_LOCATION}/mfeOperationsStatus/{{operation}}", action=AUTHENTICATED)(polling.get_status)
routes.get(f"{_LOCATION}/mfeOperationResults/{{operation}}", action=AUTHENTICATED)(polling.get_result)


def _register_kind(table: Routes, containers: str) -> None:
    every = f"{containers}/{{name}}/versions"
    table.get(containers, action=AUTHENTICATED)(list_containers)
    table.get(f"{containers}/{{name}}", action=AUTHENTICATED)(get_container)
    table.put(f"{containers}/{{name}}", action=access.WRITE)(put_container)
    table.delete(f"{containers}/{{name}}", action=access.DELETE)(delete_asset)
    table.get(every, action=AUTHENTICATED)(list_versions)
    table.get(f"{every}/{{version}}", action=AUTHENTICATED)(get_version)
    table.put(f"{every}/{{version}}", action=access.WRITE)(put_version)
    table.delete(f"{every}/{{version}}", action=access.DELETE)(delete_asset)


async def list_containers(call: Call) -> web.Response:
    """List the names of a kind."""
    base = f"{references.registry_uri(readable_registry(call).body['name'])}/{kind_of(call)}"
    found = call.platform.store.below(base, assets.container_type(kind_of(call)))
    return page(call, active(call.query, [assets.container_body(call.platform, doc) for doc in found]))


async def get_container(call: Call) -> web.Response:
    """Describe a name: its latest version, and its next free version."""
    return reply(assets.container_body(call.platform, _container(call)))


async def put_container(call: Call) -> web.Response:
    """Change the tags, description or archived flag of an asset's name. Create the name if it does not exist."""
    body = await call.json()
    owner, kind, name = registry_of(call), kind_of(call), call.parameters["name"]
    path = assets.path_of(owner, kind, name)
    old = call.platform.store.get(path)
    properties = workspace_assets.prepare_container(kind, name, body)
    merged = {**(old.body["properties"] if old else {}), **properties}
    stored = versions.write(call.platform, path, assets.container_type(kind), merged, call.principal)
    return reply(assets.container_body(call.platform, stored), 200 if old else 201)


async def list_versions(call: Call) -> web.Response:
    """List versions, by default the oldest first. The list is empty for a name that does not exist."""
    owner, kind, name = readable_registry(call), kind_of(call), call.parameters["name"]
    found = call.platform.store.below(assets.path_of(owner, kind, name), assets.version_type(kind))
    if not found and references.is_not_here(references.registry_uri(owner.body["name"]), kind):
        raise references.unknown(references.registry_uri(owner.body["name"]), kind, name, name)
    bodies = [doc.body for doc in found if doc.body["properties"]["provisioningState"] != "Failed"]
    return page(call, active(call.query, ordered(call.query, bodies)))


async def get_version(call: Call) -> web.Response:
    """Return one version. `azureml_default` is the newest version that is not archived."""
    owner = references.registry_uri(readable_registry(call).body["name"])
    name, version = call.parameters["name"], call.parameters["version"]
    return reply(references.version(call.platform, owner, kind_of(call), name, version).body)


async def put_version(call: Call) -> web.Response:
    """Create a version (a long-running operation), or change the mutable properties of an existing one."""
    body = await call.json()
    owner, kind = registry_of(call), kind_of(call)
    name, version = call.parameters["name"], call.parameters["version"]
    path = assets.path_of(owner, kind, name, version)
    old = call.platform.store.get(path)
    if old is not None and old.body["properties"]["provisioningState"] == "Failed":
        call.platform.store.delete(old.id)
        old = None
    if old is None:
        shared_assets.require(call.platform, call.principal, body)
    before = old.body if old else None
    properties = await assets.prepare_version(call.platform, owner, kind, name, version, body, before)
    if old is None:
        properties["provisioningState"] = "Creating"
    stored = assets.write(call.platform, owner, kind, name, version, properties, call.principal)
    if old is not None:
        return reply(stored.body)
    operation = call.platform.operations.begin(assets.WORK, {"id": path}, resource_id=path)
    return reply(stored.body, 201, _polling(call, owner, operation))


async def delete_asset(call: Call) -> web.Response:
    """Delete a version, or a name and all its versions. Deleted versions cannot be created again."""
    owner, kind = registry_of(call), kind_of(call)
    path = assets.path_of(owner, kind, call.parameters["name"], call.parameters.get("version"))
    return web.Response(status=200 if assets.bury(call.platform, path) else 204)


@routes.put(f"{_REGISTRY}/tempdatarefs/{{name}}/versions/{{version}}", action=access.WRITE)
async def start_upload(call: Call) -> web.Response:
    """Return the caller's container for a version's files, and a SAS token for that container only."""
    body = await call.json()
    owner = registry_of(call)
    asset_id = str(body.get("assetId") or "")
    kind = _kind_of(asset_id)
    path = assets.path_of(owner, kind, call.parameters["name"], call.parameters["version"])
    if path.lower() != asset_id.lower():
        raise AzureError(400, "UserError", f"assetId '{asset_id}' is not the asset of this path, '{path}'.")
    assets.refuse_deleted(call.platform, path)
    if kind != "codes" and call.platform.store.get(path) is not None:
        raise AzureError(409, "UserError", f"Asset already exists: '{path}'.")
    holder = call.principal.object_id if call.principal else ""
    target = assets.upload_place(
        call.platform, owner, kind, call.parameters["name"], call.parameters["version"], holder
    )
    await blobs.create_container(call.platform, target.account, target.container)
    return reply(
        {
            "temporaryDataReferenceId": str(uuid.uuid4()),
            "temporaryDataReferenceType": "TemporaryBlobReference",
            **_reference(call, target, "racwl"),
        }
    )


@routes.post(f"{_REGISTRY}/datarefs/{{name}}/versions/{{version}}", action=access.READ)
async def read_files(call: Call) -> web.Response:
    """Return a SAS token to read the container of a version's files."""
    body = await call.json()
    owner = registry_of(call)
    kind = _kind_of(str(body.get("assetId") or ""))
    document = references.version(
        call.platform,
        references.registry_uri(owner.body["name"]),
        kind,
        call.parameters["name"],
        call.parameters["version"],
    )
    properties = document.body["properties"]
    uri = properties.get(references.URI_PROPERTY.get(kind, "")) or (properties.get("build") or {}).get("contextUri")
    place = BlobPath.parse(str(uri or ""))
    if place is None:
        raise AzureError(400, "UserError", f"'{document.id}' has no files.")
    return reply(_reference(call, place, "rl"))


@routes.post(f"{_REGISTRY}/import", action=access.WRITE)
async def import_asset(call: Call) -> web.Response:
    """Copy a workspace's asset version to the registry. The caller needs permission to read it in the workspace."""
    given = (await call.json({"properties": "map:str"})).get("properties", {})
    owner = registry_of(call)
    missing = [key for key in ("sourceAssetId", "destinationName", "destinationVersion") if not given.get(key)]
    if missing:
        raise AzureError(400, "ValidationError", f"The import lacks properties.{', properties.'.join(missing)}.")
    source, kind = copying.source_of(call.platform, str(given["sourceAssetId"]))
    if call.principal is not None:
        action = f"{references.WORKSPACE_TYPE}/{kind}/versions/read"
        call.platform.access.require(call.principal, source.id, action)
    name, version = str(given["destinationName"]), str(given["destinationVersion"])
    operation = copying.begin(call.platform, owner, source, kind, name, version, call.principal)
    return web.Response(status=202, headers=_polling(call, owner, operation))


def _reference(call: Call, place: BlobPath, permissions: str) -> Json:
    """Describe access to the container of a location. Clients use the container's address, not the asset's path."""
    container = BlobPath(place.account, place.container)
    signed = delegation.url(call.platform, container, permissions, _LIFETIME)
    credential = {"credentialType": "SAS", "sasUri": signed}
    return {"blobReferenceForConsumption": {"blobUri": place.url.rstrip("/"), "credential": credential}}


def _container(call: Call) -> Document:
    owner, kind, name = readable_registry(call), kind_of(call), call.parameters["name"]
    document = call.platform.store.get(assets.path_of(owner, kind, name))
    if document is None:
        raise references.unknown(references.registry_uri(owner.body["name"]), kind, name, name)
    return document


def _kind_of(asset_id: str) -> str:
    kind = asset_id.lower().removeprefix("azureml://registries/").partition("/")[2].partition("/")[0]
    if kind not in KINDS:
        raise AzureError(400, "UserError", f"assetId '{asset_id}' is not an asset of a registry.")
    return kind


def _polling(call: Call, owner: Document, operation: str) -> dict[str, str]:
    subscription = ResourceId.of(owner.id).subscription
    prefix = "" if call.host == ARM_HOST else _PREFIX
    base = f"{prefix}/subscriptions/{subscription}/providers/{PROVIDER}/locations/{owner.body['location']}"
    return operations.headers(call.host, f"{base}/mfeOperationsStatus", f"{base}/mfeOperationResults", operation)


def _base(location: str) -> str:
    return f"https://{location}.api.azureml.ms"


for _each in KINDS:
    _register_kind(routes, f"{_REGISTRY}/{_each}")
    _register_kind(arm_routes, f"{REGISTRY}/{_each}")
