"""Access to the blobs of a registry's own storage account. A role on the registry gives this access."""

from __future__ import annotations

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.services.machinelearning import shared_assets
from amlite.services.machinelearning.references import PROVIDER, REGISTRY_TYPE, workspace
from amlite.services.managedidentity import identities

READ = shared_assets.READ
WRITE = f"{PROVIDER}/registries/assets/write"
DELETE = f"{PROVIDER}/registries/assets/delete"
ROLE = "AzureML Registry User"


def owner_of(platform: Platform, account: str) -> Document | None:
    """Return the registry that owns a storage account, or None if the account does not belong to a registry."""
    for document in platform.store.of_type(REGISTRY_TYPE):
        if account in accounts(document):
            return document
    return None


def accounts(registry: Document) -> list[str]:
    """Return the names of a registry's storage accounts. The account in the registry's location is the first one."""
    home = registry.body["location"]
    details = sorted(registry.body["properties"]["regionDetails"], key=lambda detail: detail["location"] != home)
    return [
        part["systemCreatedStorageAccount"]["storageAccountName"]
        for detail in details
        for part in detail["storageAccountDetails"]
    ]


def may_read(platform: Platform, registry: Document, who: Principal | None) -> bool:
    """Return whether a principal may use a registry's assets."""
    return who is not None and platform.access.allowed(who, registry.id, READ)


def workspace_identity(platform: Platform, workspace_id: str) -> Principal | None:
    """Return the principal of a workspace: its primary user-assigned identity, or else its system-assigned one."""
    body = workspace(platform, workspace_id).body
    if primary := body["properties"].get("primaryUserAssignedIdentity"):
        return identities.principal_of(platform, primary)
    object_id = body["identity"].get("principalId")
    return Principal(object_id, object_id) if object_id else None
