"""Copying of an asset version and its files from a workspace to a registry, for `share` of azure-ai-ml."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import datastores, references
from amlite.services.registries import assets
from amlite.services.storage import blobs
from amlite.services.storage.blobs import BlobPath

WORK = "registries.import"
KINDS = ("data", "environments", "models")
# The properties of a version that depend on its location and are not copied.
_LEFT = ("provisioningState", "jobName", "isArchived", "isAnonymous", "environmentType", "stage")


def source_of(platform: Platform, asset_id: str) -> tuple[Document, str]:
    """Return the workspace's version for an import, and its kind. Raises AzureError 400 or 404."""
    kind = next((each for each in KINDS if f"/{each}/" in asset_id), None)
    if kind is None or not asset_id.lower().startswith("azureml://locations/"):
        raise AzureError(
            400,
            "UserError",
            f"sourceAssetId '{asset_id}' is not a model, environment or data asset of a workspace; "
            "a registry imports only these.",
        )
    return references.asset(platform, "", asset_id, kind), kind


def begin(
    platform: Platform, registry: Document, source: Document, kind: str, name: str, version: str, who: Principal | None
) -> str:
    """Start to copy a version and return the operation's id. Raises AzureError 409 if it exists or was deleted."""
    path = assets.path_of(registry, kind, name, version)
    assets.refuse_deleted(platform, path)
    assets.refuse_existing(platform, path)
    arguments = {
        "holder": f"import {uuid.uuid4()}",  # two imports of the same version do not mix their files
        "registry": registry.id,
        "source": source.id,
        "kind": kind,
        "name": name,
        "version": version,
        "principal": [who.object_id, who.client_id] if who else None,
    }
    return platform.operations.begin(WORK, arguments)


async def finish(platform: Platform, arguments: Json) -> None:
    """Copy the files and write the version. A repetition after a restart does not change existing files or versions."""
    kind, name, version = (str(arguments[key]) for key in ("kind", "name", "version"))
    registry, source = platform.store.get(arguments["registry"]), platform.store.get(arguments["source"])
    if registry is None or source is None:
        raise AzureError(404, "UserError", "The registry or the asset was deleted while it was being copied.")
    path, holder = assets.path_of(registry, kind, name, version), str(arguments.get("holder") or "")
    properties = {key: value for key, value in source.body["properties"].items() if key not in _LEFT}
    if (known := platform.store.get(path)) is not None:  # an earlier attempt wrote it, or somebody else
        held = assets.is_held(registry, kind, name, known, holder)
        if held is None:
            await assets.prepare_version(
                platform, registry, kind, name, version, {"properties": properties}, known.body
            )
        elif not held:
            assets.refuse_existing(platform, path)
        return
    target = assets.upload_place(platform, registry, kind, name, version, holder)
    who = Principal(*arguments["principal"]) if arguments["principal"] else None
    workspace_id = source.id.rsplit("/", 4)[0]
    if kind == "environments":
        if build := properties.get("build"):
            place = BlobPath.parse(str(build["contextUri"]))
            if place is None:
                raise AzureError(400, "UserError", f"The build context '{build['contextUri']}' is not in blob storage.")
            await datastores.require(platform, workspace_id, place, who)
            copied = await _copy(platform, BlobPath(place.account, place.container, place.path.rstrip("/")), target)
            properties["build"] = {**build, "contextUri": f"{copied.url}/"}
    else:
        place = references.location(platform, workspace_id, source.id, kind)
        await datastores.require(platform, workspace_id, place, who)
        properties[references.URI_PROPERTY[kind]] = (await _copy(platform, place, target)).url
    checked = await assets.prepare_version(platform, registry, kind, name, version, {"properties": properties}, None)
    assets.write(platform, registry, kind, name, version, checked, who)


async def _copy(platform: Platform, source: BlobPath, target: BlobPath) -> BlobPath:
    """Copy a blob or folder into the container of `target` under its own name, and return its new location."""
    placed = target / (source.name or "content")
    with tempfile.TemporaryDirectory(prefix="amlite-import-") as folder:
        files = await blobs.download_tree(platform, source, Path(folder))
        single = len(files) == 1 and await blobs.exists(platform, source)
        await blobs.create_container(platform, target.account, target.container)
        await blobs.upload_tree(platform, files[0] if single else Path(folder), placed)
    return placed
