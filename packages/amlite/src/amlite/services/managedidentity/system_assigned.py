"""System-assigned identities of resources: created with a resource, and deleted with it."""

from __future__ import annotations

import uuid

from amlite import TENANT_ID
from amlite.core import directory
from amlite.core.access import Principal
from amlite.core.directory import PrincipalKind
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.entra.tokens import tokens

_CLIENTS = "entra/system-assigned"


def assigned(platform: Platform, wanted: Json | None, old: Json | None) -> Json | None:
    """Return a resource's `identity`. It keeps its principal when the resource is updated. Raises AzureError 400."""
    kind = str((wanted or {}).get("type") or "None").replace(" ", "").lower()
    if kind == "none":
        return None
    if kind != "systemassigned":
        raise AzureError(
            400, "InvalidIdentityType", "identity.type: amlite gives this type of resource only SystemAssigned."
        )
    principal = ((old or {}).get("identity") or {}).get("principalId") or str(uuid.uuid4())
    directory.register(platform.store, principal, PrincipalKind.SERVICE_PRINCIPAL)
    if platform.store.get(f"{_CLIENTS}/{principal}") is None:
        platform.store.put(f"{_CLIENTS}/{principal}", _CLIENTS, {"clientId": str(uuid.uuid4())})
    return {"type": "SystemAssigned", "principalId": principal, "tenantId": TENANT_ID}


def forget(platform: Platform, body: Json) -> None:
    """Let a resource that is being deleted get no token any more."""
    if principal := (body.get("identity") or {}).get("principalId"):
        platform.store.delete(f"{_CLIENTS}/{principal}")


def token(platform: Platform, body: Json, audience: str) -> str:
    """Return a token of a resource's identity. Raises AzureError 400 if the resource has none, or has lost it."""
    principal = (body.get("identity") or {}).get("principalId")
    document = platform.store.get(f"{_CLIENTS}/{principal}") if principal else None
    if document is None or directory.kind_of(platform.store, str(principal)) is None:
        raise AzureError(400, "FailedIdentityOperation", f"'{body['name']}' has no managed identity.")
    return tokens(platform).issue(Principal(str(principal), document.body["clientId"]), audience)
