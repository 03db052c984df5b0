"""A workspace that is ready to use: its resources, in the form of Azure Resource Manager."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from amlite import SUBSCRIPTION_ID, TENANT_ID

RESOURCE_GROUP = "rg-amlite"
WORKSPACE = "mlw-amlite"
LOCATION = "westeurope"
GROUP_API_VERSION = "2021-04-01"
VAULT_TYPE = "Microsoft.KeyVault/vaults"
VAULT_API_VERSION = "2023-07-01"
WORKSPACE_TYPE = "Microsoft.MachineLearningServices/workspaces"
WORKSPACE_API_VERSION = "2024-04-01"


@dataclass(frozen=True)
class Resource:
    """The ARM id of a resource, its body, and the API version of both."""

    id: str
    api_version: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """The resources of a workspace and their names, which are derived from the given names.

    With `identity`, the workspace's datastores use identity-based access, and the storage account refuses its keys.
    """

    name: str = WORKSPACE
    resource_group: str = RESOURCE_GROUP
    location: str = LOCATION
    identity: bool = False

    @property
    def group_id(self) -> str:
        """The ARM id of the resource group."""
        return f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{self.resource_group}"

    @property
    def id(self) -> str:
        """The ARM id of the workspace."""
        return self._id(WORKSPACE_TYPE, self.name)

    @property
    def storage_account(self) -> str:
        """The name of the storage account."""
        return f"st{self._suffix}"

    @property
    def key_vault(self) -> str:
        """The name of the key vault."""
        return f"kv-{self._suffix}"

    @property
    def container_registry(self) -> str:
        """The name of the container registry."""
        return f"cr{self._suffix}"

    def resources(self) -> list[Resource]:
        """Return the resource group, the workspace's dependencies, and the workspace, in the order of creation."""
        parts = {
            "storageAccount": Resource(
                self._id("Microsoft.Storage/storageAccounts", self.storage_account),
                "2024-01-01",
                {
                    "kind": "StorageV2",
                    "sku": {"name": "Standard_LRS"},
                    "properties": {"allowSharedKeyAccess": not self.identity},
                },
            ),
            "keyVault": Resource(
                self._id(VAULT_TYPE, self.key_vault),
                VAULT_API_VERSION,
                {
                    "properties": {
                        "tenantId": TENANT_ID,
                        "sku": {"family": "A", "name": "standard"},
                        "accessPolicies": [],
                    }
                },
            ),
            "applicationInsights": Resource(
                self._id("Microsoft.Insights/components", f"appi-{self._suffix}"),
                "2020-02-02",
                {"kind": "web", "properties": {"Application_Type": "web"}},
            ),
            "containerRegistry": Resource(
                self._id("Microsoft.ContainerRegistry/registries", self.container_registry),
                "2023-07-01",
                {"sku": {"name": "Basic"}, "properties": {"adminUserEnabled": False}},
            ),
        }
        properties = {name: part.id for name, part in parts.items()}
        if self.identity:
            properties["systemDatastoresAuthMode"] = "identity"
        workspace = {"identity": {"type": "SystemAssigned"}, "properties": properties}
        found = [
            Resource(self.group_id, GROUP_API_VERSION, {}),
            *parts.values(),
            Resource(self.id, WORKSPACE_API_VERSION, workspace),
        ]
        return [Resource(each.id, each.api_version, {"location": self.location, **each.body}) for each in found]

    @property
    def _suffix(self) -> str:
        # Names of storage accounts, vaults and registries are unique in all of Azure, and short.
        return hashlib.sha256(f"{self.resource_group}/{self.name}".lower().encode()).hexdigest()[:16]

    def _id(self, resource_type: str, name: str) -> str:
        return f"{self.group_id}/providers/{resource_type}/{name}"
