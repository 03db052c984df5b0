"""The HTTP surface of a workspace's assets, its region, and the service's long-running operations."""

from __future__ import annotations

import datetime as dt
import uuid

from aiohttp import web

from amlite.core import preconditions
from amlite.core.errors import AzureError
from amlite.core.listing import active, ordered, page
from amlite.core.routing import ARM_HOST, AUTHENTICATED, Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.arm import polling
from amlite.services.machinelearning import assets, references, shared_assets, versions
from amlite.services.machinelearning.addresses import LOCATION, REGION_HOST, WORKSPACE, kind_of, workspace_of
from amlite.services.machinelearning.references import KINDS
from amlite.services.storage import blobs, delegation
from amlite.services.storage.blobs import BlobPath

_UPLOAD_PERMISSIONS = "racwl"
_READ_PERMISSIONS = "rl"
_UPLOAD_LIFETIME = dt.timedelta(hours=12)

routes = Routes(ARM_HOST)
region_routes = Routes(REGION_HOST, audiences=None)


@region_routes.get("/discovery")
async def discover(call: Call) -> web.Response:
    """Return the addresses of the service's parts in this region. A workspace's `discoveryUrl` is this address."""
    base = f"https://{call.host}"
    parts = ("api", "catalog", "experimentation", "history", "jobs", "modelmanagement", "pipelines", "data", "mlflow")
    return reply({**dict.fromkeys(parts, base), "studio": "https://ml.azure.com", "gallery": base, "hyperdrive": base})


routes.get(f"{LOCATION}/mfeOperationsStatus/{{operation}}", action=AUTHENTICATED)(polling.get_status)
routes.get(f"{LOCATION}/mfeOperationResults/{{operation}}", action=AUTHENTICATED)(polling.get_result)


def _register_kind(kind: str) -> None:
    containers = f"{WORKSPACE}/{kind}"
    every = f"{containers}/{{name}}/versions"
    routes.get(containers)(list_containers)
    routes.put(f"{containers}/{{name}}")(put_container)
    routes.get(f"{containers}/{{name}}")(get_container)
    routes.delete(f"{containers}/{{name}}")(delete_asset)
    routes.get(every)(list_versions)
    routes.put(f"{every}/{{version}}")(put_version)
    routes.get(f"{every}/{{version}}")(get_version)
    routes.delete(f"{every}/{{version}}")(delete_asset)
    for action in ("startPendingUpload", "createOrGetStartPendingUpload"):
        routes.post(f"{every}/{{version}}/{action}")(start_upload)


async def list_containers(call: Call) -> web.Response:
    """List the names of a kind of asset, without anonymous ones."""
    owner, kind = workspace_of(call), kind_of(call)
    found = call.platform.store.below(f"{owner.id}/{kind}", assets.container_type(kind))
    bodies = [
        assets.container_body(call.platform, doc) for doc in found if doc.body["name"] != assets.ANONYMOUS.get(kind)
    ]
    return page(call, active(call.query, bodies))


async def put_container(call: Call) -> web.Response:
    """Change the tags, description or archived flag of an asset's name. Create the name if it does not exist."""
    body = await call.json()
    owner, kind, name = workspace_of(call), kind_of(call), call.parameters["name"]
    properties = assets.prepare_container(kind, name, body)
    path = f"{owner.id}/{kind}/{name}"
    old = call.platform.store.get(path)
    stored = versions.write(call.platform, path, assets.container_type(kind), properties, call.principal)
    return reply(assets.container_body(call.platform, stored), 200 if old else 201)


async def get_container(call: Call) -> web.Response:
    """Describe a name: its latest version, and its next free version."""
    owner, kind, name = workspace_of(call), kind_of(call), call.parameters["name"]
    document = references.container(call.platform, owner.id, kind, name)
    if document is None:
        raise AzureError(404, "UserError", f"No {kind} named '{name}' was found in workspace '{owner.body['name']}'.")
    return reply(assets.container_body(call.platform, document))


async def delete_asset(call: Call) -> web.Response:
    """Delete a version, or a name and all its versions."""
    path = _path(call)
    if "version" in call.parameters:
        preconditions.require(call.request.headers, call.platform.store.get(path))
    return web.Response(status=200 if call.platform.store.delete(path) else 204)


async def list_versions(call: Call) -> web.Response:
    """List versions, newest last unless `$orderBy` has another order.

    Code is searched by its hash in the whole workspace, because the client's name in the path is random.
    """
    owner, kind, name = workspace_of(call), kind_of(call), call.parameters["name"]
    container = references.container(call.platform, owner.id, kind, name)
    base = container.id if container is not None else f"{owner.id}/{kind}/{name}"
    if kind == "codes" and "hash" in call.query:
        base = f"{owner.id}/{kind}"
    versions_type = f"{container.type}/versions" if container is not None else assets.version_type(kind)
    bodies = [doc.body for doc in call.platform.store.below(base, versions_type)]
    if "hash" in call.query:
        wanted = (call.query["hash"], call.query.get("hashVersion"))
        bodies = [body for body in bodies if _hash(body) in (wanted, (wanted[0], None))]
    elif not bodies and container is None:
        raise AzureError(404, "UserError", f"No {kind} named '{name}' was found in workspace '{owner.body['name']}'.")
    return page(call, active(call.query, ordered(call.query, bodies)))


async def put_version(call: Call) -> web.Response:
    """Create a version, or change the mutable properties of an existing one."""
    body = await call.json()
    owner, kind = workspace_of(call), kind_of(call)
    name, version = call.parameters["name"], call.parameters["version"]
    old = call.platform.store.get(f"{owner.id}/{kind}/{name}/versions/{version}")
    preconditions.require(call.request.headers, old)
    if old is None:
        shared_assets.require(call.platform, call.principal, body)
    stored = versions.put(call.platform, owner, kind, name, version, body, call.principal)
    return reply(stored.body, 200 if old else 201, preconditions.tag(stored))


async def get_version(call: Call) -> web.Response:
    """Return one version. `azureml_default` is the newest version that is not archived."""
    owner, kind = workspace_of(call), kind_of(call)
    name, version = call.parameters["name"], call.parameters["version"]
    found = references.version(call.platform, owner.id, kind, name, version)
    return reply(found.body, headers=preconditions.tag(found))


async def start_upload(call: Call) -> web.Response:
    """Return the container for an asset's files, and a SAS token for it: of a version that exists, to read it only."""
    owner = workspace_of(call)
    account_id = owner.body["properties"]["storageAccount"]
    account = account_id.rpartition("/")[2].lower()
    # Another request for the same version gets the same container, so that an interrupted upload can continue.
    asset_id = _path(call)
    target = BlobPath(account, str(uuid.uuid5(uuid.NAMESPACE_URL, asset_id.lower())))
    await blobs.create_container(call.platform, target.account, target.container)
    permissions = _READ_PERMISSIONS if call.platform.store.get(asset_id) else _UPLOAD_PERMISSIONS
    signed = delegation.url(call.platform, target, permissions, _UPLOAD_LIFETIME)
    return reply(
        {
            "pendingUploadId": str(uuid.uuid4()),
            "pendingUploadType": "TemporaryBlobReference",
            "blobReferenceForConsumption": {
                "blobUri": target.url.rstrip("/"),
                "storageAccountArmId": account_id,
                "credential": {"credentialType": "SAS", "sasUri": signed},
            },
        }
    )


def _path(call: Call) -> str:
    owner, kind = workspace_of(call), kind_of(call)
    path = f"{owner.id}/{kind}/{call.parameters['name']}"
    return f"{path}/versions/{call.parameters['version']}" if "version" in call.parameters else path


def _hash(body: Json) -> tuple[str | None, str | None]:
    properties = body["properties"]["properties"]
    return properties.get("hash_sha256"), properties.get("hash_version")


for _each in KINDS:
    _register_kind(_each)
