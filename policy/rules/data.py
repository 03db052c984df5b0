"""Rules about what must not be lost."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

_SOFT_DELETE_DAYS = 30
_LOG_DAYS = 90


@rule(
    "vault-soft-delete", "mandatory", "azure-native:keyvault:Vault",
    reason="Without soft delete, a deleted secret or key is gone, and with it what it encrypts.",
    fix="set enableSoftDelete to true",
)  # fmt: skip
def vault_soft_delete(resource: Resource, scene: Scene) -> Iterator[str]:
    """Deleted secrets can be recovered."""
    del scene
    if resource.get("properties.enableSoftDelete") is False:
        yield "enableSoftDelete is false"


@rule(
    "vault-retention", "advisory", "azure-native:keyvault:Vault",
    reason="A deletion is often noticed after weeks.",
    fix=f"set retention.softDeleteDays to {_SOFT_DELETE_DAYS} or more before the vault is created",
    production=True,
)  # fmt: skip
def vault_retention(resource: Resource, scene: Scene) -> Iterator[str]:
    """The vault keeps deleted secrets for 30 days or more. Azure's default is 90."""
    del scene
    days = resource.get("properties.softDeleteRetentionInDays")
    if days is not None and days < _SOFT_DELETE_DAYS:
        yield f"softDeleteRetentionInDays is {days:g}"


@rule(
    "vault-purge-protection", "mandatory", "azure-native:keyvault:Vault",
    reason="Without purge protection, one command deletes every secret for good.",
    fix="set keyVault.purgeProtection to true",
    production=True,
)  # fmt: skip
def vault_purge_protection(resource: Resource, scene: Scene) -> Iterator[str]:
    """Nobody deletes a production vault for good."""
    del scene
    path = "properties.enablePurgeProtection"
    if not resource.is_unknown(path) and resource.get(path) is not True:
        yield "enablePurgeProtection is not true"


@rule(
    "protected", "mandatory",
    "azure-native:storage:StorageAccount", "azure-native:keyvault:Vault", "azure-native:containerregistry:Registry",
    "azure-native:machinelearningservices:Workspace",
    reason="A renamed setting can make Pulumi replace a resource, and with it everything in it.",
    fix="set protect to true",
    production=True,
)  # fmt: skip
def protected(resource: Resource, scene: Scene) -> Iterator[str]:
    """Pulumi refuses to delete what holds data."""
    del scene
    if not resource.protected:
        yield "the resource is not protected from deletion"


@rule(
    "storage-redundancy", "advisory", "azure-native:storage:StorageAccount",
    reason="With locally redundant storage, the loss of one data centre is the loss of the data.",
    fix="set storage.sku to Standard_ZRS or another redundant one",
    production=True,
)  # fmt: skip
def storage_redundancy(resource: Resource, scene: Scene) -> Iterator[str]:
    """Production data is in more than one zone or region."""
    del scene
    sku = str(resource.get("sku.name") or "")
    if sku.endswith("_LRS"):
        yield f"sku is {sku}"


@rule(
    "storage-replication", "mandatory", "azure-native:storage:StorageAccount",
    reason="Object replication can copy the data to a storage account of another tenant.",
    fix="set allowCrossTenantReplication to false",
)  # fmt: skip
def storage_replication(resource: Resource, scene: Scene) -> Iterator[str]:
    """Data is not replicated to other tenants."""
    del scene
    if resource.get("allowCrossTenantReplication") is True:
        yield "allowCrossTenantReplication is true"


@rule(
    "log-retention", "advisory", "azure-native:operationalinsights:Workspace",
    reason="An incident is often found after weeks, and then its logs are needed.",
    fix=f"set retention.logDays to {_LOG_DAYS} or more",
    production=True,
)  # fmt: skip
def log_retention(resource: Resource, scene: Scene) -> Iterator[str]:
    """Logs are kept for 90 days or more. Azure's default is 30."""
    del scene
    if resource.is_unknown("retentionInDays"):
        return
    days = resource.get("retentionInDays") or 30
    if days < _LOG_DAYS:
        yield f"retentionInDays is {days:g}"
