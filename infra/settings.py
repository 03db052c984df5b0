"""The typed settings of one stack: every key a `Pulumi.<stack>.yaml` may hold, what it means and what it may be.

Keys are written in camelCase in the stack file and in snake_case here. `infra.configuration` reads them;
`docs/configuration.md` is generated from them.
"""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.rollout_settings import Rollout
from infra.settings_group import Group
from infra.sharing_settings import Sharing

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ISO_DURATION = re.compile(r"PT(?=\d)(\d+H)?(\d+M)?(\d+S)?")
_REGION = re.compile(r"[a-z]+[a-z0-9]*")
_TAG_FORBIDDEN = re.compile(r"[<>%&\\?/]")
RESERVED_TAGS = frozenset({"managed-by", "project", "namespace", "workspace", "stack"})


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value):
        raise ValueError("must be a GUID such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    if len(set(value.replace("-", ""))) == 1:
        raise ValueError("is still the placeholder; put the real GUID in its place")
    return value.lower()


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError("must be the name of an Azure region in its short form, such as westeurope")
    return value


def _idle_time(value: str) -> str:
    if not _ISO_DURATION.fullmatch(value):
        raise ValueError("must be an ISO 8601 duration of hours, minutes or seconds, such as PT15M")
    return value


def _ip_range(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("must be a public IPv4 address or CIDR range such as 203.0.113.0/24") from None
    # Storage accounts refuse /31 and /32: a single address is written without a prefix.
    tiny = "/" in value and network.prefixlen > 30
    if network.version != 4 or tiny or any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError("must be a public IPv4 address or CIDR range such as 203.0.113.0/24")
    return value


_PRIVATE = tuple(ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def _whole_number_as_text(value: object) -> object:
    """`pulumi config set --path` stores `7` as a number; a version or a postfix is text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Guid = Annotated[str, AfterValidator(_guid)]
Region = Annotated[str, AfterValidator(_region)]
IdleTime = Annotated[str, AfterValidator(_idle_time)]
IpRange = Annotated[str, AfterValidator(_ip_range)]
NumericText = Annotated[str, BeforeValidator(_whole_number_as_text)]


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


class VmPriority(StrEnum):
    """Low-priority nodes are cheaper and may be taken away while a job runs."""

    DEDICATED = "Dedicated"
    LOW_PRIORITY = "LowPriority"


class Isolation(StrEnum):
    """What nodes and deployments in the workspace's managed virtual network may reach."""

    DISABLED = "Disabled"
    INTERNET_OUTBOUND = "AllowInternetOutbound"
    APPROVED_OUTBOUND = "AllowOnlyApprovedOutbound"


class Naming(Group):
    """The parts of every name. `<kind>-<namespace>-<workspace>-<stack>-<postfix>`, as infra/naming.py says."""

    namespace: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$",
        description="Short name of the team or product, the first part of every name. "
        "2-12 lower-case letters or digits.",
        examples=["mlops"],
    )
    workspace: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$",
        description="Short name of the machine learning workspace. 2-12 lower-case letters or digits.",
        examples=["flights"],
    )
    postfix: NumericText = Field(
        pattern=r"^[a-z0-9]{1,6}$",
        description="Makes names unique across Azure: storage accounts, key vaults and container registries share one "
        "name space with everyone. Change it too when a soft-deleted twin holds a name. 1-6 lower-case letters or "
        "digits.",
        examples=["001"],
    )


class Workspace(Group):
    """How the machine learning workspace presents itself."""

    friendly_name: str | None = Field(
        default=None, max_length=255, description="Display name in the studio; by default the workspace's name."
    )
    description: str | None = Field(default=None, max_length=1000, description="What the workspace is for.")


class Compute(Group):
    """One compute cluster. Asset files refer to it by `azureml:<name>`."""

    name: str = Field(
        pattern=r"^[A-Za-z]([A-Za-z0-9-]{1,30})[A-Za-z0-9]$",
        description="Name of the cluster. 3-32 letters, digits or hyphens, starting with a letter.",
        examples=["cpu-cluster"],
    )
    vm_size: str = Field(
        pattern=r"^(Standard|STANDARD)_[A-Za-z0-9_-]+$",
        description="Virtual machine size of every node.",
        examples=["Standard_DS3_v2"],
    )
    min_nodes: int = Field(default=0, ge=0, description="Nodes kept running when idle; 0 costs nothing when idle.")
    max_nodes: int = Field(default=2, ge=1, le=1000, description="Most nodes the cluster scales out to.")
    idle_time: IdleTime = Field(
        default="PT15M",
        description="How long a node stays idle before it is removed; an ISO 8601 duration.",
        examples=["PT15M"],
    )
    priority: VmPriority = Field(
        default=VmPriority.DEDICATED, description="Whether Azure may take nodes away while a job runs."
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"minNodes ({self.min_nodes}) must not exceed maxNodes ({self.max_nodes})")
        return self


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


class Identities(Group):
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


class Access(Group):
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


class Network(Group):
    """Who can reach the platform, and what its nodes can reach."""

    public_access: bool = Field(
        default=True,
        description="Whether workspace, storage, key vault and registry answer on the public internet (to callers with "
        "a token). If false, `pulumi up` must run inside the private network.",
    )
    allowed_ip_ranges: list[IpRange] = Field(
        default_factory=list,
        max_length=100,
        description="Public IPv4 addresses or CIDR ranges that storage, key vault and registry answer; empty: all.",
    )
    isolation: Isolation = Field(
        default=Isolation.DISABLED, description="The workspace's managed virtual network for nodes and deployments."
    )

    @property
    def restricted(self) -> bool:
        """Whether storage, key vault and registry turn away whoever is not allowed by address or private link."""
        return not self.public_access or bool(self.allowed_ip_ranges)


class Registry(Group):
    """The container registry."""

    sku: RegistrySku = Field(default=RegistrySku.BASIC, description="Service tier of the container registry.")


class Storage(Group):
    """The workspace's storage account."""

    sku: StorageSku = Field(default=StorageSku.LOCAL, description="Replication of the storage account.")
    shared_key_access: bool = Field(
        default=False,
        description="Whether account keys and SAS tokens signed by them are accepted. Everything here signs in by "
        "identity; the studio's file shares and designer still want keys.",
    )


class KeyVault(Group):
    """The workspace's key vault."""

    purge_protection: bool = Field(
        default=False,
        description="Whether a deleted vault must stay recoverable until its retention ends. Cannot be turned off.",
    )


class Retention(Group):
    """How long things that pile up are kept."""

    log_days: int = Field(default=30, ge=30, le=730, description="Days that logs and metrics are kept.")
    soft_delete_days: int = Field(
        default=7, ge=7, le=90, description="Days that a deleted key vault stays recoverable. Fixed once created."
    )


class Image(Group):
    """The Docker images of environments that have a build context."""

    build: bool = Field(
        default=True,
        description="Whether `pulumi up` builds these images and pushes them to the registry. If false, the "
        "environments are registered with their build contexts, which Azure Machine Learning builds itself.",
    )


class Assets(Group):
    """How the stack takes over, keeps, runs and waits for what is in the workspace."""

    adopt: bool = Field(
        default=False,
        description="Whether an asset, schedule or endpoint that exists under a planned name and was not made by this "
        "stack is taken over. If false, `pulumi up` refuses it.",
    )
    retain: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="How many versions of an environment, data asset, component or model stay listed. When a new one "
        "is made, older ones of this stack are archived, which can be undone and hurts nothing that uses them. 0 "
        "archives none.",
    )
    datastores: list[str] = Field(
        default_factory=list,
        max_length=500,
        description="Datastores that the workspace has and no `datastore.yml` defines, beside its own such as "
        "`workspaceblobstore`. Paths may name these; any other name is taken for a mistake.",
        examples=["lake"],
    )
    run: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Pipelines of `pipelines/` that `pulumi up` runs and waits for, each when what it runs changed. "
        "Others are run by schedules and `release train`.",
        examples=["training"],
    )
    run_timeout_minutes: int = Field(
        default=1440,
        ge=1,
        le=43200,
        description="Minutes that `pulumi up` waits for such a job. It goes on after that; the next one waits again.",
    )
    operation_minutes: int = Field(
        default=60,
        ge=1,
        le=1440,
        description="How long an operation of Azure's, such as the creation of a deployment, is waited for. Azure goes "
        "on with one that takes longer, and the next `pulumi up` resumes it.",
    )


class Model(Group):
    """The promoted model of an endpoint. The release writes it here once the gate accepts a version."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$", description="Name of the registered model.")
    version: NumericText = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,29}$", description="Version of the registered model.", examples=["7"]
    )


class Settings(Group):
    """Everything under `azureml-platform:` in a stack file."""

    naming: Naming = Field(description="The parts of every name.")
    tags: dict[str, str] = Field(
        default_factory=dict, max_length=40, description="Tags on every resource, beside the project's own."
    )
    protect: bool = Field(
        default=False,
        description="Whether `pulumi destroy` or a replacement may never delete what holds data: resource group, "
        "logs, storage account, key vault, container registry and workspace.",
    )
    workspace: Workspace = Field(default_factory=Workspace, description="The machine learning workspace.")
    compute: list[Compute] = Field(min_length=1, max_length=50, description="The compute clusters.")
    identities: Identities = Field(default_factory=Identities, description="The identity of continuous integration.")
    access: Access = Field(default_factory=Access, description="People's roles.")
    network: Network = Field(default_factory=Network, description="Network exposure.")
    registry: Registry = Field(default_factory=Registry, description="The container registry.")
    storage: Storage = Field(default_factory=Storage, description="The storage account.")
    key_vault: KeyVault = Field(default_factory=KeyVault, description="The key vault.")
    retention: Retention = Field(default_factory=Retention, description="How long things are kept.")
    image: Image = Field(default_factory=Image, description="The environments' Docker images.")
    assets: Assets = Field(default_factory=Assets, description="How assets are treated.")
    rollout: Rollout = Field(default_factory=Rollout, description="How new deployments take over.")
    sharing: Sharing = Field(default_factory=Sharing, description="The registry for sharing assets.")
    models: dict[str, Model] = Field(default_factory=dict, description="Promoted model by endpoint name.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        names = [compute.name.lower() for compute in self.compute]
        if len(set(names)) < len(names):
            problems.append("compute has two clusters of the same name")
        if self.network.restricted and self.registry.sku is not RegistrySku.PREMIUM:
            problems.append(
                "registry.sku must be Premium where network.publicAccess is false or network.allowedIpRanges is set"
            )
        if not self.network.public_access and self.network.isolation is Isolation.DISABLED:
            problems.append(
                "network.isolation must not be Disabled where network.publicAccess is false: nodes would not reach "
                "the workspace's storage"
            )
        for key, value in self.tags.items():
            if key.lower() in RESERVED_TAGS:
                problems.append(f"tags.{key} is set by the project itself")
            elif not 0 < len(key) <= 128 or _TAG_FORBIDDEN.search(key) or len(value) > 256:
                problems.append(
                    f"tags.{key} is no tag: a name has 1-128 characters without <>%&\\?/, its value at most 256"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self


class Cloud(Group):
    """The subscription that the stack lives in: the keys under `azure-native:`."""

    tenant_id: Guid = Field(description="Entra ID tenant of the subscription.")
    subscription_id: Guid = Field(description="Subscription that everything is created in.")
    location: Region = Field(description="Azure region of every resource, in its short form.", examples=["westeurope"])
