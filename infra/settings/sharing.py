"""The settings of sharing: the keys below `azureml-platform:sharing`."""

from typing import Self

from pydantic import Field, model_validator

from infra.settings.group import Group, Guid

REGISTRY_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$"


class SharingSettings(Group):
    """The Azure Machine Learning registry that shares assets with other workspaces."""

    registry: str | None = Field(
        default=None,
        pattern=REGISTRY_NAME,
        description="Name of the registry, unique in the tenant. The stack's nodes, endpoints and workspace may use "
        "its assets, and `release share` writes to it. If absent, nothing is shared.",
        examples=["mlops-models"],
    )
    create: bool = Field(
        default=False,
        description="Create the registry. One stack creates it. Other stacks set its name and resource group.",
    )
    publish: bool = Field(
        default=False,
        description="Register the assets under `ml/shared/`. One stack registers them. Other stacks use the same "
        "versions, because versions are content hashes.",
    )
    resource_group: str | None = Field(
        default=None,
        pattern=r"^[\w().-]{0,89}[\w()-]$",
        description="Resource group of a registry that another stack creates. The stack then gives its identities the "
        "role AzureML Registry User on the registry. If absent, you must give them the role.",
    )
    subscription_id: Guid | None = Field(
        default=None,
        description="Subscription of that resource group. Default: the stack's subscription.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.registry is None and (self.create or self.publish or self.resource_group):
            raise ValueError("registry must be set if create, publish or resourceGroup is set")
        if self.subscription_id and not self.resource_group:
            raise ValueError("resourceGroup must be set if subscriptionId is set")
        if self.create and self.resource_group:
            raise ValueError(
                "resourceGroup must not be set if create is true; the stack creates the registry in its resource group"
            )
        return self
