"""The settings of identities and roles: the keys below `azureml-platform:identities` and `azureml-platform:access`."""

from typing import Self

from pydantic import Field, model_validator

from infra.settings.group import Group, Guid


class GitHubSubject(Group):
    """A GitHub Actions workflow that may sign in as the CI identity, without a secret."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+(@[0-9]+)?/[A-Za-z0-9_.-]+(@[0-9]+)?$",
        description="Repository, as `owner/name`. `owner@id/name@id` is the same as with `ownerId` and `repositoryId`.",
        examples=["contoso/flights"],
    )
    owner_id: int | None = Field(
        default=None,
        ge=1,
        description="Id of the repository's owner, if the subject of its tokens contains ids: see "
        "[Access](access.md#github).",
        examples=[123456],
    )
    repository_id: int | None = Field(
        default=None, ge=1, description="Id of the repository, together with `ownerId`.", examples=[456789]
    )
    environment: str | None = Field(default=None, description="Only jobs in this deployment environment may sign in.")
    branch: str | None = Field(default=None, description="Only workflow runs on this branch may sign in.")

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.environment is None) == (self.branch is None):
            raise ValueError("needs exactly one of environment and branch")
        if (self.owner_id is None) != (self.repository_id is None):
            raise ValueError("needs both ownerId and repositoryId, or neither")
        ids = self.repository.count("@")
        if ids == 1 or (ids == 2 and self.owner_id is not None):
            raise ValueError(
                "repository must contain both ids (owner@id/name@id) or none; use none if ownerId and repositoryId are "
                "set"
            )
        return self

    @property
    def name(self) -> str:
        """The repository as GitHub writes it in the subject: `owner/name`, or `owner@id/name@id`."""
        if self.owner_id is None:
            return self.repository
        owner, _, name = self.repository.partition("/")
        return f"{owner}@{self.owner_id}/{name}@{self.repository_id}"

    @property
    def subject(self) -> str:
        """The `sub` claim of the token that GitHub issues to such a workflow run."""
        if self.environment is not None:
            # GitHub writes a colon inside a name as %3A.
            return f"repo:{self.name}:environment:{self.environment.replace(':', '%3A')}"
        return f"repo:{self.name}:ref:refs/heads/{self.branch}"


_GUID_PATTERN = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class AzureDevOpsSubject(Group):
    """An Azure DevOps service connection (workload identity federation) that may sign in as the CI identity."""

    issuer: str = Field(
        pattern=rf"^https://(vstoken\.dev\.azure\.com/{_GUID_PATTERN}|"
        rf"login\.microsoftonline\.com/{_GUID_PATTERN}/v2\.0)$",
        description="Issuer, copied from the page of the service connection. The issuer "
        "`https://vstoken.dev.azure.com/…` of older connections ends on 1 July 2027.",
        examples=["https://login.microsoftonline.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301/v2.0"],
    )
    subject: str = Field(
        pattern=r"^\S(.*\S)?$",
        description="Subject identifier, copied from the page of the service connection.",
        examples=["/eid1/c/pub/t/4QQlP4lP00GaDAMF6CwzAQ/a/…/sc/<organisation id>/<connection id>"],
    )

    @model_validator(mode="after")
    def _from_one_page(self) -> Self:
        older = self.issuer.startswith("https://vstoken.")
        if (self.subject.startswith("sc://") and not older) or (self.subject.startswith("/eid1/") and older):
            raise ValueError(
                "issuer and subject belong to different forms of a service connection; copy both from its page"
            )
        return self

    @property
    def connection(self) -> str:
        """The identification of the connection: its id, or its path of organisation, project and name."""
        if self.subject.startswith("/eid1/"):
            return self.subject.rpartition("/")[2]
        return self.subject.removeprefix("sc://")


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
