"""Asset versions that amlite's own parts create: models that MLflow registers, outputs that jobs name."""

from __future__ import annotations

from typing import Any

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.routing import Json
from amlite.core.store import Document
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
    """Create a version (default: the next number) of an asset, and its container when it is the first.

    AzureError 400 where the version exists with other content, or the name holds data of another type.
    """
    owner = references.workspace(platform, workspace_id)
    path = f"{owner.id}/{kind}/{name}"
    container = platform.store.get(path)
    held = assets.held(kind, name, properties, container)
    if container is None:
        described = assets.prepare_container(kind, name, {"properties": held})
        container = write(platform, path, assets.container_type(kind), described, principal=principal)
    number = version or str(assets.container_body(platform, container)["properties"]["nextVersion"])
    known = platform.store.get(f"{path}/versions/{number}")
    checked = assets.prepare_version(
        platform, owner, kind, name, number, {"properties": properties}, known.body if known else None
    )
    return write(
        platform, f"{path}/versions/{number}", assets.version_type(kind), checked, old=known, principal=principal
    )


def change(platform: Platform, document: Document, principal: Principal | None, **properties: Any) -> Document:
    """Change some properties of a stored container or version."""
    merged = {**document.body["properties"], **properties}
    return write(platform, document.id, document.body["type"], merged, old=document, principal=principal)


def write(
    platform: Platform,
    path: str,
    kind: str,
    properties: Json,
    *,
    old: Document | None = None,
    principal: Principal | None = None,
) -> Document:
    """Store an envelope with `systemData` that says who wrote it first and last."""
    who = principal.client_id if principal else ""
    now = platform.clock.stamp()
    created = {"createdBy": who, "createdByType": "Application", "createdAt": now}
    first = old.body["systemData"] if old else created
    system = {**first, "lastModifiedBy": who, "lastModifiedByType": "Application", "lastModifiedAt": now}
    name = path.rpartition("/")[2]
    body = {"id": path, "name": name, "type": kind, "properties": properties, "systemData": system}
    return platform.store.put(path, kind, body)
