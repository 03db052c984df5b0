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
    """Replication types that Azure Machine Learning accepts for a workspace's storage account."""

    LOCAL = "Standard_LRS"
    ZONE = "Standard_ZRS"
    GEO = "Standard_GRS"
    GEO_READ = "Standard_RAGRS"


class WorkspaceSettings(Group):
    """The machine learning workspace."""

    friendly_name: str | None = Field(
        default=None, max_length=255, description="Display name in the studio. If absent, the workspace's name."
    )
    description: str | None = Field(default=None, max_length=1000, description="Purpose of the workspace.")


class RegistrySettings(Group):
    """The container registry."""

    sku: RegistrySku = Field(default=RegistrySku.BASIC, description="Service tier of the container registry.")
    admin_user: bool = Field(
        default=False,
        description="Give the registry an admin user, whose password may push and pull everything and does not expire. "
        "The platform uses identities only. Turn it on for a tool that can sign in with a password only.",
    )


class StorageSettings(Group):
    """The workspace's storage account."""

    sku: StorageSku = Field(default=StorageSku.LOCAL, description="Replication of the storage account.")
    shared_key_access: bool = Field(
        default=False,
        description="Accept account keys, and SAS tokens that are signed with them. The platform uses identities only, "
        "but the studio's file shares and designer need keys.",
    )


class KeyVaultSettings(Group):
    """The workspace's key vault."""

    purge_protection: bool = Field(
        default=False,
        description="Keep a deleted vault recoverable until its retention ends. You cannot turn it off again.",
    )


class RetentionSettings(Group):
    """Retention of logs and deleted resources."""

    log_days: int = Field(default=30, ge=30, le=730, description="Days to keep logs and metrics.")
    soft_delete_days: int = Field(
        default=7,
        ge=7,
        le=90,
        description="Days that a deleted key vault stays recoverable. You cannot change it after creation.",
    )


class ImageSettings(Group):
    """The Docker images of environments that have a build context."""

    build: bool = Field(
        default=True,
        description="Let `pulumi up` build these images and push them to the registry. If false, the environments are "
        "registered with their build contexts, and Azure Machine Learning builds the images.",
    )
