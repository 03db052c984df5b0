"""Stored asset versions and their containers, for every creator: clients, MLflow, jobs, registries."""

from __future__ import annotations

from typing import Any

from amlite.core import wire
from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import assets, references


def create(
    platform: Platform,
    workspace_id: str,
    kind: str,
    name: str,
    properties: Json,
    *,
    version: str | None = None,
    principal: Principal | None = None,
) -> Document:
    """Create a version (default: the next number) of a workspace's asset, and with the first version its container.

    Raises AzureError 400 if the version exists with different content, or if the name has data of another type.
    """
    owner = references.workspace(platform, workspace_id)
    if version is None:
        container = platform.store.get(f"{owner.id}/{kind}/{name}")
        version = str(assets.container_body(platform, container)["properties"]["nextVersion"]) if container else "1"
    return put(platform, owner, kind, name, version, {"properties": properties}, principal)


def put(
    platform: Platform, owner: Document, kind: str, name: str, version: str, body: Json, principal: Principal | None
) -> Document:
    """Create a version of a workspace's asset, or change its mutable properties. Raises the errors of `create`."""
    base = f"{owner.id}/{kind}/{name}"
    version = assets.version_of(kind, name, version, body)
    old = platform.store.get(f"{base}/versions/{version}")
    checked = assets.prepare_version(platform, owner, kind, name, version, body, old.body if old else None)
    return keep(platform, base, assets.container_type(kind), version, checked, principal)


def keep(
    platform: Platform, base: str, container_type: str, version: str, properties: Json, principal: Principal | None
) -> Document:
    """Store a version of the container `base`. The first version also creates the container.

    Raises AzureError 400 if the container has data of another type.
    """
    container = platform.store.get(base)
    held = assets.held(container_type.rpartition("/")[2], base.rpartition("/")[2], properties, container)
    if container is None:
        described = {"tags": {}, "properties": {}, "isArchived": False, **held}
        write(platform, base, container_type, described, principal)
    return write(platform, f"{base}/versions/{version}", f"{container_type}/versions", properties, principal)


def change(platform: Platform, document: Document, principal: Principal | None, **properties: Any) -> Document:
    """Change some properties of a stored container or version."""
    merged = {**document.body["properties"], **properties}
    return write(platform, document.id, document.body["type"], merged, principal)


def write(platform: Platform, path: str, kind: str, properties: Json, principal: Principal | None) -> Document:
    """Store an envelope with `systemData`, which contains its first and its last author."""
    old = platform.store.get(path)
    by = principal.client_id if principal else ""
    system = wire.modified(by, platform.clock.stamp(), old.body if old else None)
    path = old.id if old else path
    return platform.store.put(path, kind, wire.envelope(path, kind, properties, system))
