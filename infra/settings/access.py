"""The settings of identities and roles: the keys below `azureml-platform:identities` and `azureml-platform:access`."""

from typing import Self

from pydantic import Field, model_validator

from infra.settings.group import Group, Guid


class GitHubSubject(Group):
    """A GitHub Actions workflow that may sign in as the CI identity, without a secret."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$",
        description="The repository, `owner/name`.",
        examples=["contoso/flights"],
    )
    environment: str | None = Field(default=None, description="Only jobs in this deployment environment may sign in.")
    branch: str | None = Field(default=None, description="Only workflow runs on this branch may sign in.")

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.environment is None) == (self.branch is None):
            raise ValueError("needs exactly one of environment and branch")
        return self

    @property
    def subject(self) -> str:
        """The `sub` claim of the token that GitHub gives such a run."""
        if self.environment is not None:
            return f"repo:{self.repository}:environment:{self.environment}"
        return f"repo:{self.repository}:ref:refs/heads/{self.branch}"


class AzureDevOpsSubject(Group):
    """An Azure DevOps service connection (workload identity federation) that may sign in as the CI identity."""

    issuer: str = Field(
        pattern=r"^https://(vstoken\.dev\.azure\.com|login\.microsoftonline\.com)/\S+$",
        description="Issuer, as the service connection's page shows it.",
        examples=["https://vstoken.dev.azure.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301"],
    )
    subject: str = Field(
        min_length=1,
        description="Subject identifier, as the service connection's page shows it.",
        examples=["sc://contoso/flights/azure-dev"],
    )


class IdentitiesSettings(Group):
    """Who continuous integration is: a user-assigned identity made here, or a service principal made elsewhere."""

    github: list[GitHubSubject] = Field(
        default_factory=list, max_length=10, description="GitHub Actions workflows trusted by the CI identity."
    )
    azure_dev_ops: list[AzureDevOpsSubject] = Field(
        default_factory=list, max_length=10, description="Azure DevOps service connections trusted by the CI identity."
    )
    existing_service_principal: Guid | None = Field(
        default=None,
        description="Object id (not the application id) of a service principal to use in place of a new CI identity.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.existing_service_principal and (self.github or self.azure_dev_ops):
            raise ValueError(
                "existingServicePrincipal excludes github and azureDevOps: federate that principal where it was made"
            )
        return self


class AccessSettings(Group):
    """People's roles, by Entra ID group. Owners and contributors also get the data roles of their work."""

    owners: list[Guid] = Field(default_factory=list, description="Object ids of groups: Owner of the resource group.")
    contributors: list[Guid] = Field(
        default_factory=list, description="Object ids of groups: Contributor to the resource group."
    )
    readers: list[Guid] = Field(default_factory=list, description="Object ids of groups: Reader of the resource group.")
    deployer: bool = Field(
        default=False,
        description="Gives whoever runs `pulumi up` the roles to upload code and push images. For a stack that one "
        "identity deploys; where a pipeline deploys too, leave it off and use groups.",
    )

    @model_validator(mode="after")
    def _one_role_each(self) -> Self:
        groups = [*self.owners, *self.contributors, *self.readers]
        twice = sorted({group for group in groups if groups.count(group) > 1})
        if twice:
            raise ValueError(f"a group has one role only; named twice: {', '.join(twice)}")
        return self
