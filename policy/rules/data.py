"""Rules about what must not be lost."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

_SOFT_DELETE_DAYS = 30
_LOG_DAYS = 90


@rule(
    "vault-soft-delete", "mandatory", "azure-native:keyvault:Vault",
    reason="Without soft delete, a deleted key is lost, and so is the data that it encrypts.",
    fix="set enableSoftDelete to true",
)  # fmt: skip
def vault_soft_delete(resource: Resource, scene: Scene) -> Iterator[str]:
    """Deleted secrets and keys can be recovered."""
    del scene
    if resource.flag("properties.enableSoftDelete") is False:
        yield "enableSoftDelete is false"


@rule(
    "vault-retention", "advisory", "azure-native:keyvault:Vault",
    reason="Weeks can pass before somebody notices a deletion.",
    fix=f"set retention.softDeleteDays to {_SOFT_DELETE_DAYS} or more before the vault is created",
    elsewhere="off",
)  # fmt: skip
def vault_retention(resource: Resource, scene: Scene) -> Iterator[str]:
    """The vault keeps deleted secrets for 30 days or more. Azure's default is 90."""
    del scene
    days = resource.number("properties.softDeleteRetentionInDays")
    if days is not None and days < _SOFT_DELETE_DAYS:
        yield f"softDeleteRetentionInDays is {days:g}"


@rule(
    "vault-purge-protection", "mandatory", "azure-native:keyvault:Vault",
    reason="Without purge protection, a user can delete all secrets permanently.",
    fix="set keyVault.purgeProtection to true",
    elsewhere="off",
)  # fmt: skip
def vault_purge_protection(resource: Resource, scene: Scene) -> Iterator[str]:
    """A production vault cannot be deleted permanently before its retention ends."""
    del scene
    path = "properties.enablePurgeProtection"
    if not resource.is_unknown(path) and resource.flag(path) is not True:
        yield "enablePurgeProtection is not true"


@rule(
    "protected", "mandatory",
    "azure-native:storage:StorageAccount", "azure-native:keyvault:Vault", "azure-native:containerregistry:Registry",
    "azure-native:machinelearningservices:Workspace",
    reason="After a change of a name, Pulumi replaces the resource, and its data is lost.",
    fix="set protect to true",
    elsewhere="off",
)  # fmt: skip
def protected(resource: Resource, scene: Scene) -> Iterator[str]:
    """Pulumi refuses to delete resources that store data."""
    del scene
    if not resource.protected:
        yield "the resource is not protected from deletion"


@rule(
    "storage-redundancy", "advisory", "azure-native:storage:StorageAccount",
    reason="Locally redundant storage loses the data if its data center is lost.",
    fix="set storage.sku to Standard_ZRS or another redundant one",
    elsewhere="off",
)  # fmt: skip
def storage_redundancy(resource: Resource, scene: Scene) -> Iterator[str]:
    """Production data is stored in several zones or regions."""
    del scene
    sku = str(resource.get("sku.name") or "")
    if sku.upper().endswith("_LRS"):
        yield f"sku is {sku}"


@rule(
    "storage-replication", "mandatory", "azure-native:storage:StorageAccount",
    reason="Object replication can copy the data to another tenant.",
    fix="set allowCrossTenantReplication to false",
)  # fmt: skip
def storage_replication(resource: Resource, scene: Scene) -> Iterator[str]:
    """The account does not allow replication to other tenants."""
    del scene
    if resource.flag("allowCrossTenantReplication") is True:
        yield "allowCrossTenantReplication is true"


@rule(
    "log-retention", "advisory", "azure-native:operationalinsights:Workspace",
    reason="You may need the logs of an incident that somebody discovers weeks later.",
    fix=f"set retention.logDays to {_LOG_DAYS} or more",
    elsewhere="off",
)  # fmt: skip
def log_retention(resource: Resource, scene: Scene) -> Iterator[str]:
    """Logs are kept for 90 days or more. Azure's default is 30."""
    del scene
    if resource.is_unknown("retentionInDays"):
        return
    days = resource.number("retentionInDays") or 30
    if days < _LOG_DAYS:
        yield f"retentionInDays is {days:g}"
