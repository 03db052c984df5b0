"""A workspace, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amlite import SUBSCRIPTION_ID
from amlite.testing.local_azure import LocalAzure
from amlite.workspace import LOCATION, RESOURCE_GROUP, Layout

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential


@dataclass(frozen=True)
class Workspace:
    """A workspace of a running amlite, with a storage account, a key vault and a container registry."""

    azure: LocalAzure
    layout: Layout

    @classmethod
    def create(
        cls,
        azure: LocalAzure,
        name: str,
        *,
        resource_group: str = RESOURCE_GROUP,
        location: str = LOCATION,
        identity: bool = False,
    ) -> Workspace:
        """Create a workspace, or return the existing one. With `identity`, its datastores use identity-based access."""
        layout = Layout(name, resource_group, location, identity)
        for resource in layout.resources():
            azure.put(resource.id, resource.body, resource.api_version)
        return cls(azure, layout)

    @property
    def subscription_id(self) -> str:
        """The id of amlite's only subscription."""
        return SUBSCRIPTION_ID

    @property
    def resource_group(self) -> str:
        """The name of the resource group."""
        return self.layout.resource_group

    @property
    def name(self) -> str:
        """The name of the workspace."""
        return self.layout.name

    @property
    def id(self) -> str:
        """The ARM id of the workspace."""
        return self.layout.id

    @property
    def account(self) -> str:
        """The name of the storage account."""
        return self.layout.storage_account

    def client(self, credential: TokenCredential | None = None) -> MLClient:
        """Return an azure-ai-ml client that signs in with `credential`, or by default as this process."""
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        return MLClient(
            credential or DefaultAzureCredential(), self.subscription_id, self.resource_group, self.name,
            show_progress=False, enable_telemetry=False,
        )  # fmt: skip
