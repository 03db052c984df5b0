"""The settings of sharing: the keys below `azureml-platform:sharing`."""

from typing import Self

from pydantic import Field, model_validator

from infra.settings.group import Group


class SharingSettings(Group):
    """The Azure Machine Learning registry that assets are shared through with other workspaces."""

    registry: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$",
        description="Name of the registry, which the tenant has once. The stack's nodes, endpoints and workspace may "
        "use its assets, and `release share` writes to it. Absent: nothing is shared.",
        examples=["mlops-models"],
    )
    create: bool = Field(
        default=False,
        description="Whether this stack makes the registry. One stack makes it; others name it and its resource group.",
    )
    publish: bool = Field(
        default=False,
        description="Whether this stack registers the assets under `ml/shared/`. One stack does; others use what it "
        "registered, by the same versions, since these are the content's.",
    )
    resource_group: str | None = Field(
        default=None,
        pattern=r"^[\w().-]{0,89}[\w()-]$",
        description="Resource group, in the same subscription, of a registry that another stack makes. Absent: "
        "somebody else gives the stack's identities the role AzureML Registry User there.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.registry is None and (self.create or self.publish or self.resource_group):
            raise ValueError("registry must name the registry where create, publish or resourceGroup is set")
        if self.create and self.resource_group:
            raise ValueError(
                "resourceGroup is of a registry that exists; one that is made lies in the stack's own group"
            )
        return self
