"""The rules of asset versions in a registry that differ from those in a workspace.

A version may refer only to assets in a registry, and its files must be in the registry's account. There are no
anonymous assets. The archived flag is the only property of an environment that can change. A deleted version cannot be
created again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import assets, references, versions
from amlite.services.machinelearning.references import REGISTRY_TYPE, registry_uri
from amlite.services.registries import access, templates
from amlite.services.storage import blobs, delegation
from amlite.services.storage.blobs import BlobPath

WORK = "registries.create"
_TOMBSTONE = "registries/tombstones"
_UPLOAD = "registries/uploads"


def container_type(kind: str) -> str:
    """Return the type of a name in a registry, such as `…/registries/models`."""
    return f"{REGISTRY_TYPE}/{kind}"


def version_type(kind: str) -> str:
    """Return the type of a version in a registry, such as `…/registries/models/versions`."""
    return f"{REGISTRY_TYPE}/{kind}/versions"


def path_of(registry: Document, kind: str, name: str, version: str | None = None) -> str:
    """Return the id of a name or version. The store uses the same id."""
    path = f"{registry_uri(registry.body['name'])}/{kind}/{name}"
    return path if version is None else f"{path}/versions/{version}"


async def prepare_version(
    platform: Platform, registry: Document, kind: str, name: str, version: str, body: Json, old: Json | None
) -> Json:
    """Check a version's body and return the properties to store.

    Raises AzureError 400 for assets that a registry rejects, 409 if content would change or the version was deleted.
    """
    path = path_of(registry, kind, name, version)
    body = fields(body, {"properties": "map:any"})
    if name in assets.ANONYMOUS.values() or ((body.get("properties") or {}).get("isAnonymous") and kind != "codes"):
        raise AzureError(400, "UserError", f"A registry does not accept anonymous assets: name the {_noun(kind)}.")
    refuse_deleted(platform, path)
    owner = replace(registry, id=registry_uri(registry.body["name"]))
    _check_references(platform, kind, name, (body.get("properties") or {}).get("componentSpec"))
    properties = assets.prepare_version(platform, owner, kind, name, version, body, old)
    if kind == "models":
        templates.check_of_model(platform, properties)
    if old is not None and kind == "environments" and _metadata(properties) != _metadata(old["properties"]):
        raise AzureError(
            409,
            "UserError",
            f"Environment {name} with version {version} is already registered and cannot be changed in a registry, its "
            "tags and description included.",
        )
    if old is None:  # the place of its files does not change
        await _check_files(platform, registry, path, kind, name, properties)
        refuse_existing(platform, path)  # somebody may have registered it meanwhile
    return properties


def refuse_deleted(platform: Platform, path: str) -> None:
    """Raise AzureError 409 for a version that was deleted."""
    if platform.store.get(f"{_TOMBSTONE}/{path}") is not None:
        raise AzureError(
            409, "UserError", f"'{path}' was deleted; the version of a deleted asset cannot be used again."
        )


def refuse_existing(platform: Platform, path: str) -> None:
    """Raise AzureError 409 for a version that exists."""
    if platform.store.get(path) is not None:
        raise AzureError(409, "UserError", f"'{path}' already exists; the content of a version never changes.")


def bury(platform: Platform, path: str) -> int:
    """Delete a version, or a name and all its versions, and prevent their re-creation. Return how many there were."""
    every = [path] if "/versions/" in path else [document.id for document in platform.store.below(path)]
    for each in every:
        if platform.store.get(each) is not None:
            platform.store.put(f"{_TOMBSTONE}/{each}", _TOMBSTONE, {"id": each})
    return platform.store.delete(path)


def container_body(platform: Platform, container: Document) -> Json:
    """Return a name's envelope with its latest and next version. The next version is later than all deleted ones."""
    gone = (document.body["id"] for document in platform.store.below(f"{_TOMBSTONE}/{container.id}", _TOMBSTONE))
    return assets.container_body(platform, container, (each.rpartition("/")[2] for each in gone))


def upload_place(
    platform: Platform, registry: Document, kind: str, name: str, version: str, holder: str = ""
) -> BlobPath:
    """Return the container in which a holder puts an asset's files, always the same one. Nobody else gets to it.

    That of a version that exists is returned to everybody. It only reads.
    """
    path = path_of(registry, kind, name, version)
    document = platform.store.get(path)
    if document is not None and (known := _place(kind, document.body["properties"])) is not None:
        return BlobPath(known.account, known.container)
    container = _container(path, holder)
    platform.store.put(f"{_UPLOAD}/{container}", _UPLOAD, {"path": path.lower()})
    return BlobPath(access.accounts(registry)[0], container)


def is_held(registry: Document, kind: str, name: str, version: Document, holder: str) -> bool | None:
    """Whether the files of a version are those that a holder put there. None: it has no files."""
    place = _place(kind, version.body["properties"])
    path = path_of(registry, kind, name, version.id.rpartition("/")[2])
    return None if place is None else place.container == _container(path, holder)


def _container(path: str, holder: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path.lower()} {holder}"))


def _check_references(platform: Platform, kind: str, name: str, spec: Any) -> None:
    if kind != "components" or not isinstance(spec, dict):
        return
    for wanted, reference in _references(spec):
        if not isinstance(reference, str) or reference.startswith(("git+", "https://")):
            continue
        if not references.is_in_registry(reference):
            fix = "create it from its files" if wanted == "codes" else f"share the {_noun(wanted)} first"
            raise AzureError(
                400,
                "UserError",
                f"Component '{name}' refers to the {_noun(wanted)} '{reference}'. A component of a registry may refer "
                f"to assets of a registry only (azureml://registries/<registry>/{wanted}/<name>/versions/<version>): "
                f"{fix}.",
            )
        try:
            references.asset(platform, "", reference, wanted)
        except AzureError as error:
            raise AzureError(400, "UserError", error.message) from error


def _references(spec: Json) -> Iterator[tuple[str, Any]]:
    """Yield (kind, reference) for each reference in a component's definition."""
    for part in (spec, spec.get("task")):
        if isinstance(part, dict):
            for key, kind in (("code", "codes"), ("environment", "environments")):
                if part.get(key):
                    yield kind, part[key]
    for job in (spec.get("jobs") or {}).values():
        if isinstance(job, dict) and job.get("componentId"):
            yield "components", job["componentId"]


def _uri(kind: str, properties: Json) -> str | None:
    """Return the address of a version's files, or None if it has none."""
    if kind == "environments":
        return (properties.get("build") or {}).get("contextUri") or None
    return properties.get(references.URI_PROPERTY.get(kind, "")) or None


def _place(kind: str, properties: Json) -> BlobPath | None:
    return BlobPath.parse(str(_uri(kind, properties) or ""))


async def _check_files(
    platform: Platform, registry: Document, path: str, kind: str, name: str, properties: Json
) -> None:
    """Check that the files of a version, if any, are in a container that was given out for it."""
    uri = _uri(kind, properties)
    if not uri:
        return
    place = BlobPath.parse(str(uri))
    if place is None or place.account not in access.accounts(registry):
        raise AzureError(
            400,
            "UserError",
            f"The files of {_noun(kind)} '{name}' are at '{uri}', which is not in the storage of registry "
            f"'{registry.body['name']}'; upload them with the asset.",
        )
    upload = platform.store.get(f"{_UPLOAD}/{place.container}")
    if upload is None or upload.body["path"] != path.lower():
        raise AzureError(400, "UserError", f"The files of {_noun(kind)} '{name}' are those of another upload: '{uri}'.")
    if not await blobs.names(platform, place):
        raise AzureError(400, "UserError", f"The files of {_noun(kind)} '{name}' were not uploaded: '{uri}' is empty.")


def _metadata(properties: Json) -> Json:
    return {name: properties.get(name) or None for name in ("description", "tags")}


def _noun(kind: str) -> str:
    return "data asset" if kind == "data" else kind.removesuffix("s")


def write(
    platform: Platform, registry: Document, kind: str, name: str, version: str, properties: Json, who: Principal | None
) -> Document:
    """Store a version, and with the first one its name. Its files do not change any more.

    Raises AzureError 400 if the name has data of another type.
    """
    if (place := _place(kind, properties)) is not None:
        delegation.seal(platform, place)
    return versions.keep(platform, path_of(registry, kind, name), container_type(kind), version, properties, who)


async def finish(platform: Platform, arguments: Json) -> None:
    """Complete the creation of a version. The request has already checked its files."""
    document = platform.store.get(arguments["id"])
    if document is not None:
        document.body["properties"]["provisioningState"] = "Succeeded"
        platform.store.put(document.id, document.type, document.body)
