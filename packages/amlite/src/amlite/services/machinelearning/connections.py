"""Workspace connections: an address, and the credentials for it, which only `listsecrets` returns.

Sources: the models and operations of WorkspaceConnections in azure-rest-api-specs, and `ml.connections` of azure-ai-ml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.arm.resources import resource_of
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import WORKSPACE_TYPE

TYPE = f"{WORKSPACE_TYPE}/connections"
_SECRETS_TYPE = "machinelearning/connection-secrets"
_WITHOUT = ("None", "AAD")  # these kinds of authentication have no credentials
_OF_DATA = ("ADLSGen2", "AzureBlob", "AzureOneLake")  # a list has these only with `includeAll`


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("WorkspaceConnectionPropertiesV2BasicResource", body)
    properties = body["properties"]
    if not properties.get("category"):
        raise AzureError(400, "ValidationError", "properties.category: The category field is required.")
    if old and properties["category"] != old["properties"]["category"]:
        raise AzureError(
            400,
            "UserError",
            f"Connection '{resource_id.name}' exists and its category cannot be changed; use another name.",
        )
    kind = properties["authType"]
    credentials = properties.pop("credentials", None)
    if credentials:
        platform.store.put(f"{resource_id}/secrets", _SECRETS_TYPE, credentials)
    elif kind in _WITHOUT:
        platform.store.delete(f"{resource_id}/secrets")
    elif old is None or old["properties"]["authType"] != kind:
        raise AzureError(
            400, "ValidationError", f"properties.credentials: The authType {kind} must have its credentials."
        )
    owner = {"createdByWorkspaceArmId": str(resource_id.parent)}
    return {**body, "properties": {"isSharedToAll": False, "metadata": {}, **properties, **owner}}


async def _list_secrets(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    """Return a connection with its credentials."""
    found = resource_of(platform, resource_id).body
    saved = platform.store.get(f"{resource_id}/secrets")
    return {**found, "properties": {**found["properties"], "credentials": saved.body if saved else None}}


def _listed(bodies: list[Json], query: Mapping[str, str]) -> list[Json]:
    """Filter a list by `category` and `target`; without `includeAll=true`, leave out connections to data."""
    for name in ("category", "target"):
        if wanted := query.get(name):
            bodies = [body for body in bodies if str(body["properties"].get(name)).lower() == wanted.lower()]
    if query.get("includeAll", "").lower() != "true":
        bodies = [body for body in bodies if body["properties"]["category"] not in _OF_DATA]
    return bodies


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}",
        rule="Connection names are 3-33 letters, digits, hyphens and underscores and begin with a letter or digit.",
        located=False,
        creation=200,
        prepare=_prepare,
        listed=_listed,
        actions={"listsecrets": _list_secrets},
    )
]
