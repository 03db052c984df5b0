"""The content of an asset version: its definition and files, in one form for workspaces and registries."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pulumi_azureml.operations import blob_options, credential, of_azure
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.storage.blob import ContainerClient, StorageStreamDownloader

_BLOB = re.compile(r"https://([^./]+)\.blob\.[^/]+/([^/?]+)/?([^?]*)")
_DATASTORE = re.compile(r"azureml://(?:.*/)?datastores/([^/]+)/paths/(.*)")
_PLURAL = {"component": "codes", "data": "data", "environment": "environments", "model": "models"}
# Keys of a component's definition that depend on its workspace or registry, or that may change within a version.
_NOT_CONTENT = frozenset(
    {
        "$schema",
        "id",
        "creation_context",
        "name",
        "version",
        "tags",
        "description",
        "display_name",
        "code",
        "environment",
    }
)


@dataclass(frozen=True)
class Content:
    """The definition without its references, as text to compare, and the SHA-256 of each file by path."""

    definition: str
    files: dict[str, str]

    @property
    def sha256(self) -> str:
        """A hash of the definition and all files."""
        text = json.dumps([self.definition, sorted(self.files.items())])
        return hashlib.sha256(text.encode()).hexdigest()

    def difference(self, other: Content) -> str:
        """Describe the differences from another content. Empty if there are none."""
        changed = sorted(
            path for path in self.files.keys() | other.files.keys() if self.files.get(path) != other.files.get(path)
        )
        parts = [f"{len(changed)} file(s) differ, such as {changed[0]}"] if changed else []
        if self.definition != other.definition:
            before, after = json.loads(self.definition), json.loads(other.definition)
            keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
            parts.append(f"definition: {', '.join(keys)}")
        return "; ".join(parts)


def of(client: MLClient, kind: str, asset: Any, folder: Path) -> Content:
    """Return the content of an asset version. Its files are downloaded to `folder`, which must not exist yet.

    Raises:
        ReleaseError: The version's files do not exist or cannot be read.
    """
    folder.mkdir()
    uri = _files_uri(client, kind, asset)
    if uri is not None:
        container, prefix = _registry_files(client, kind, asset, uri) if _registry(client) else files(client, uri)
        with container:
            _download(container, prefix, folder)
        if not any(folder.iterdir()):
            raise ReleaseError(f"{kind} {asset.name}:{asset.version} has no files at {uri}")
    return Content(json.dumps(_definition(kind, asset), sort_keys=True), dict(_hashes(folder)))


def control_flow(asset: Any) -> str:
    """Return the type of the first loop or condition of a pipeline component or of a schedule's pipeline, or nothing.

    azure-ai-ml cannot write one that it has read.
    """
    steps = getattr(asset, "jobs", None) or getattr(getattr(asset, "create_job", None), "jobs", None) or {}
    types = (str(getattr(step, "type", "")) for step in steps.values())
    return next((type_ for type_ in types if type_ in ("do_while", "if_else", "parallel_for")), "")


def _definition(kind: str, asset: Any) -> dict[str, Any]:
    match kind:
        case "environment":
            build = asset.build.dockerfile_path if asset.build else None
            found = {"image": asset.image, "conda_file": asset.conda_file, "dockerfile": build, "os": asset.os_type}
        case "component":
            found = {key: value for key, value in asset._to_dict().items() if key not in _NOT_CONTENT}
            # A step's component has another id in a registry. It is compared when it is shared itself.
            for step in (found.get("jobs") or {}).values():
                step.pop("component", None)
            for key in ("code", "environment"):
                (found.get("task") or {}).pop(key, None)
        case _:
            found = {"type": str(asset.type)}
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return {key: value for key, value in plain.items() if value}


def _files_uri(client: MLClient, kind: str, asset: Any) -> str | None:
    """Return the URI of an asset's files, or None if it has no files."""
    if kind == "environment":
        return str(asset.build.path) if asset.build else None
    if kind == "component":
        code = code_of(asset)
        if code is None:
            return None
        name, version = _name_version(code)
        return str(client._code.get(name, version).path)
    return str(asset.path)


def code_of(component: Any) -> str | None:
    """Return the id of a component's code, or None if it has no code."""
    holder = component.task if getattr(component, "task", None) is not None else component
    code = getattr(holder, "code", None)
    return str(code) if code else None


def _name_version(asset_id: str) -> tuple[str, str]:
    parts = asset_id.split("/")
    return parts[-3], parts[-1]


def _registry(client: MLClient) -> str | None:
    name: str | None = client.models._registry_name
    return name


def files(client: MLClient, uri: str) -> tuple[ContainerClient, str]:
    """Return the container and path of a URI in a workspace.

    The client signs in with the datastore's key, or by identity if the datastore has no key.

    Raises:
        ReleaseError: The URI is not in a datastore or in blob storage.
    """
    from azure.storage.blob import ContainerClient

    if found := _DATASTORE.fullmatch(uri):
        store = client.datastores.get(found[1], include_secrets=True)
        account, container, path = str(store.account_name), str(store.container_name), found[2]
    elif found := _BLOB.fullmatch(uri):
        store = client.datastores.get_default(include_secrets=True)
        account, container, path = found[1], found[2], unquote(found[3])
    else:
        raise ReleaseError(f"'{uri}' cannot be read, because it is not in a datastore or in blob storage")
    key = getattr(store.credentials, "account_key", None) if store.account_name == account else None
    url = of_azure(f"https://{account}.blob.core.windows.net", "blob.core.windows.net")
    return ContainerClient(url, container, credential=key or credential(), **blob_options()), path


def _registry_files(client: MLClient, kind: str, asset: Any, uri: str) -> tuple[ContainerClient, str]:
    """Return the container and path of a URI in a registry, with a signature from the registry."""
    from azure.ai.ml._utils._registry_utils import get_storage_details_for_registry_assets
    from azure.storage.blob import ContainerClient

    found = _BLOB.fullmatch(uri)
    if found is None:
        raise ReleaseError(f"'{uri}' cannot be read, because it is not in the registry's blob storage")
    name, version = _name_version(str(code_of(asset))) if kind == "component" else (asset.name, asset.version)
    models = client.models
    signed, _ = get_storage_details_for_registry_assets(
        service_client=models._registry_service_client,
        asset_type=_PLURAL[kind],
        asset_name=name,
        asset_version=version,
        rg_name=models._resource_group_name,
        reg_name=str(_registry(client)),
        uri=uri,
    )
    return ContainerClient.from_container_url(signed, **blob_options()), unquote(found[3])


def downloads(container: ContainerClient, path: str) -> Iterator[tuple[str, StorageStreamDownloader[bytes]]]:
    """Yield the relative path and content of the blob at a path, or of all blobs below it.

    Raises:
        ReleaseError: A blob's name leads out of the folder.
    """
    base = path.rstrip("/")
    for name in container.list_blob_names(name_starts_with=base or None):
        if name.endswith("/") or (base and name != base and not name.startswith(f"{base}/")):
            continue
        relative = posixpath.normpath(name[len(base) :].lstrip("/") or posixpath.basename(name))
        if relative == ".." or relative.startswith("../"):
            raise ReleaseError(f"blob '{name}' has a path that leads out of the folder")
        yield relative, container.download_blob(name)


def _download(container: ContainerClient, path: str, folder: Path) -> None:
    for relative, content in downloads(container, path):
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            content.readinto(file)


def _hashes(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                yield path.relative_to(folder).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()
