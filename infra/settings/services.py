"""The settings of the Azure services that make up the platform: one group for each."""

from enum import StrEnum

from pydantic import Field

from infra.settings.group import Group


class RegistrySku(StrEnum):
    """Service tiers of Azure Container Registry. Firewall rules and private links need Premium."""

    BASIC = "Basic"
    STANDARD = "Standard"
    PREMIUM = "Premium"


class StorageSku(StrEnum):
    """Replication of the storage account that Azure Machine Learning accepts as a workspace's default."""

    LOCAL = "Standard_LRS"
    ZONE = "Standard_ZRS"
    GEO = "Standard_GRS"
    GEO_READ = "Standard_RAGRS"


class WorkspaceSettings(Group):
    """How the machine learning workspace presents itself."""

    friendly_name: str | None = Field(
        default=None, max_length=255, description="Display name in the studio; by default the workspace's name."
    )
    description: str | None = Field(default=None, max_length=1000, description="What the workspace is for.")


class RegistrySettings(Group):
    """The container registry."""

    sku: RegistrySku = Field(default=RegistrySku.BASIC, description="Service tier of the container registry.")


class StorageSettings(Group):
    """The workspace's storage account."""

    sku: StorageSku = Field(default=StorageSku.LOCAL, description="Replication of the storage account.")
    shared_key_access: bool = Field(
        default=False,
        description="Whether account keys and SAS tokens signed by them are accepted. Everything here signs in by "
        "identity; the studio's file shares and designer still want keys.",
    )


class KeyVaultSettings(Group):
    """The workspace's key vault."""

    purge_protection: bool = Field(
        default=False,
        description="Whether a deleted vault must stay recoverable until its retention ends. Cannot be turned off.",
    )


class RetentionSettings(Group):
    """How long things that pile up are kept."""

    log_days: int = Field(default=30, ge=30, le=730, description="Days that logs and metrics are kept.")
    soft_delete_days: int = Field(
        default=7, ge=7, le=90, description="Days that a deleted key vault stays recoverable. Fixed once created."
    )


class ImageSettings(Group):
    """The Docker images of environments that have a build context."""

    build: bool = Field(
        default=True,
        description="Whether `pulumi up` builds these images and pushes them to the registry. If false, the "
        "environments are registered with their build contexts, which Azure Machine Learning builds itself.",
    )
