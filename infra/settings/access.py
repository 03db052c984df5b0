"""The settings of identities and roles: the keys below `azureml-platform:identities` and `azureml-platform:access`."""

from typing import Self

from pydantic import Field, model_validator

from infra.settings.group import Group, Guid


class GitHubSubject(Group):
    """A GitHub Actions workflow that may sign in as the CI identity, without a secret."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$",
        description="Repository, as `owner/name`.",
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
        """The `sub` claim of the token that GitHub issues to such a workflow run."""
        if self.environment is not None:
            return f"repo:{self.repository}:environment:{self.environment}"
        return f"repo:{self.repository}:ref:refs/heads/{self.branch}"


class AzureDevOpsSubject(Group):
    """An Azure DevOps service connection (workload identity federation) that may sign in as the CI identity."""

    issuer: str = Field(
        pattern=r"^https://(vstoken\.dev\.azure\.com|login\.microsoftonline\.com)/\S+$",
        description="Issuer, from the page of the service connection.",
        examples=["https://vstoken.dev.azure.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301"],
    )
    subject: str = Field(
        min_length=1,
        description="Subject identifier, from the page of the service connection.",
        examples=["sc://contoso/flights/azure-dev"],
    )


class IdentitiesSettings(Group):
    """The identity of continuous integration (CI): a new user-assigned identity, or an existing service principal."""

    github: list[GitHubSubject] = Field(
        default_factory=list, max_length=10, description="GitHub Actions workflows that the CI identity trusts."
    )
    azure_dev_ops: list[AzureDevOpsSubject] = Field(
        default_factory=list, max_length=10, description="Azure DevOps service connections that the CI identity trusts."
    )
    existing_service_principal: Guid | None = Field(
        default=None,
        description="Object id (not the application id) of a service principal to use instead of a new CI identity.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.existing_service_principal and (self.github or self.azure_dev_ops):
            raise ValueError(
                "existingServicePrincipal cannot be combined with github or azureDevOps; add the federated credentials "
                "to that service principal yourself"
            )
        return self


class AccessSettings(Group):
    """Roles of people, assigned to Entra ID groups. Owners and contributors also get the data roles that they need."""

    owners: list[Guid] = Field(
        default_factory=list, description="Object ids of groups with the role Owner on the resource group."
    )
    contributors: list[Guid] = Field(
        default_factory=list, description="Object ids of groups with the role Contributor on the resource group."
    )
    readers: list[Guid] = Field(
        default_factory=list, description="Object ids of groups with the role Reader on the resource group."
    )
    deployer: bool = Field(
        default=False,
        description="Give the identity that runs `pulumi up` the roles to upload code and push images. Use it if one "
        "identity deploys the stack. If a CI pipeline also deploys it, use groups instead.",
    )

    @model_validator(mode="after")
    def _one_role_each(self) -> Self:
        groups = [*self.owners, *self.contributors, *self.readers]
        twice = sorted({group for group in groups if groups.count(group) > 1})
        if twice:
            raise ValueError(f"must list each group once, under one role; listed twice: {', '.join(twice)}")
        return self
