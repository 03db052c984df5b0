"""The typed settings of the hosts. README.md describes the keys."""

from __future__ import annotations

import json
import re
from typing import Annotated

import pulumi
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEYS = ("github", "azureDevOps", "environments")


class SettingsError(pulumi.RunError):
    """The configuration has mistakes. Each line of the message has a key and its problem."""


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value.lower()):
        raise ValueError("must be a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    if not value.strip("0-"):
        raise ValueError("is still the placeholder; replace it with the real GUID")
    return value.lower()


def _backend(value: str) -> str:
    if not value.startswith(("azblob://", "https://")):
        raise ValueError(
            "must be a backend that jobs share, such as azblob://pulumi-dev?storage_account=stcontosostate"
        )
    return value


Guid = Annotated[str, AfterValidator(_guid)]


class _Group(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Subscription(_Group):
    """The Azure subscription of an environment.

    Attributes:
        tenant_id: Its tenant.
        subscription_id: Its id.
        subscription_name: Its name. Azure DevOps shows it in the service connection.
    """

    tenant_id: Guid
    subscription_id: Guid
    subscription_name: str = ""


class Environment(_Group):
    """An environment, which is also a stack of the platform.

    Attributes:
        name: Name of the stack.
        subscription: Its Azure subscription.
        client_id: Client id of the identity that deploys.
        preview_client_id: Client id of the identity that previews pull requests. It may read and nothing else.
        backend_url: Pulumi's backend.
        approvers: Who approves a deployment. GitHub: ids of teams. Azure DevOps: names of groups in the project.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    subscription: Subscription
    client_id: Guid
    preview_client_id: Guid
    backend_url: Annotated[str, AfterValidator(_backend)]
    approvers: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _two_identities(self) -> Environment:
        if self.client_id == self.preview_client_id:
            raise ValueError("previewClientId must differ from clientId: a pull request can change what a preview runs")
        return self


class GitHubSettings(_Group):
    """A repository on GitHub.

    Attributes:
        repository: Name of the repository.
        description: Its description.
        visibility: Who can see it.
        reviews: Number of approvals that a pull request needs.
    """

    repository: str
    description: str = ""
    visibility: str = Field(default="private", pattern="^(private|internal|public)$")
    reviews: int = Field(default=1, ge=0, le=6)


class AzureDevOpsSettings(_Group):
    """A project and its repository on Azure DevOps.

    Attributes:
        organization: Name of the organization, which is part of the name of the project's build service.
        project: Name of the project.
        repository: Name of the repository.
        description: Description of the project.
        reviews: Number of approvals that a pull request needs.
        pipeline_editors: Names of the groups that may edit pipelines.
    """

    organization: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")
    project: str
    repository: str
    description: str = ""
    reviews: int = Field(default=1, ge=1, le=10)
    pipeline_editors: list[str] = Field(default_factory=lambda: ["Project Administrators"], min_length=1)


class Settings(_Group):
    """The settings of a stack."""

    github: GitHubSettings | None = None
    azure_devops: AzureDevOpsSettings | None = Field(default=None, alias="azureDevOps")
    environments: list[Environment] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> Settings:
        names = [each.name for each in self.environments]
        if len(names) != len(set(names)):
            raise ValueError("environments must have different names")
        if self.github is None and self.azure_devops is None:
            raise ValueError("github or azureDevOps is missing")
        for each in self.environments:
            if self.github is not None and not all(team.isdecimal() and int(team) for team in each.approvers):
                raise ValueError(
                    f"environments {each.name}: on GitHub, approvers are ids of teams, from "
                    "`gh api orgs/OWNER/teams/TEAM --jq .id`"
                )
            if self.azure_devops is not None and not each.subscription.subscription_name:
                raise ValueError(f"environments {each.name}: Azure DevOps needs subscription.subscriptionName")
        return self


def read() -> Settings:
    """Read the stack's configuration.

    Raises:
        SettingsError: A key is unknown or missing, or a value has a wrong type or is out of range.
    """
    config = pulumi.Config()
    values = {key: json.loads(text) for key in _KEYS if (text := config.get(key)) is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = (f"  {_key(each['loc'])}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors())
        raise SettingsError(f"Pulumi.{pulumi.get_stack()}.yaml has mistakes:\n" + "\n".join(lines)) from None


def _key(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return f"{pulumi.get_project()}:{path.lstrip('.')}" if path else pulumi.get_project()
