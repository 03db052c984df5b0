"""All keys of a `Pulumi.<stack>.yaml`. The groups of settings are in the modules beside this one.

Keys are in camelCase in the stack file and in snake_case here. `infra.settings.configuration` reads them.
`docs/configuration.md` is generated from them.
"""

import difflib
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.access import AccessSettings, IdentitiesSettings
from infra.settings.assets import AssetsSettings, ModelSettings
from infra.settings.compute import ComputeSettings
from infra.settings.group import Group, Guid
from infra.settings.instances import InstanceSettings
from infra.settings.monitoring import MonitoringSettings
from infra.settings.naming import NamingSettings
from infra.settings.network import NetworkSettings
from infra.settings.overrides import OverridesSettings
from infra.settings.rollout import RolloutSettings
from infra.settings.services import (
    ImageSettings,
    KeyVaultSettings,
    RegistrySettings,
    RegistrySku,
    RetentionSettings,
    StorageSettings,
    WorkspaceSettings,
)
from infra.settings.sharing import SharingSettings

_REGION = re.compile(r"[a-z]+[a-z0-9]*")
# Names of Azure's regions. `infra.cloud` asks Azure about others, because Azure opens regions.
REGIONS = [
    "australiacentral",
    "australiacentral2",
    "australiaeast",
    "australiasoutheast",
    "austriaeast",
    "belgiumcentral",
    "brazilsouth",
    "brazilsoutheast",
    "canadacentral",
    "canadaeast",
    "centralindia",
    "centralus",
    "chilecentral",
    "eastasia",
    "eastus",
    "eastus2",
    "francecentral",
    "francesouth",
    "germanynorth",
    "germanywestcentral",
    "indonesiacentral",
    "israelcentral",
    "italynorth",
    "japaneast",
    "japanwest",
    "jioindiacentral",
    "jioindiawest",
    "koreacentral",
    "koreasouth",
    "malaysiawest",
    "mexicocentral",
    "newzealandnorth",
    "northcentralus",
    "northeurope",
    "norwayeast",
    "norwaywest",
    "polandcentral",
    "qatarcentral",
    "southafricanorth",
    "southafricawest",
    "southcentralus",
    "southeastasia",
    "southindia",
    "spaincentral",
    "swedencentral",
    "swedensouth",
    "switzerlandnorth",
    "switzerlandwest",
    "uaecentral",
    "uaenorth",
    "uksouth",
    "ukwest",
    "westcentralus",
    "westeurope",
    "westindia",
    "westus",
    "westus2",
    "westus3",
]
_TAG_FORBIDDEN = re.compile(r"[<>%&\\?/]")
# "Use tags to organize your Azure resources": Azure refuses such names, in any case.
_AZURES_TAGS = ("azure", "microsoft", "windows")
RESERVED_TAGS = frozenset({"managed-by", "project", "namespace", "workspace", "stack"})


class Settings(Group):
    """Everything under `azureml-platform:` in a stack file."""

    naming: NamingSettings = Field(description="The parts of every resource name.")
    tags: dict[str, str] = Field(default_factory=dict, max_length=40, description="Additional tags on every resource.")
    protect: bool = Field(
        default=False,
        description="Protect the resources that hold data from `pulumi destroy` and from replacement: resource group, "
        "logs, storage account, key vault, container registry and workspace.",
    )
    sign_in: str | None = Field(
        default=None,
        description="How to sign in to the stack's subscription. Messages show it to a user who is not signed in. "
        "Default: the commands of `az`.",
        examples=["connect to the VPN, then az login"],
    )
    workspace: WorkspaceSettings = Field(
        default_factory=WorkspaceSettings, description="The machine learning workspace."
    )
    compute: list[ComputeSettings] = Field(min_length=1, max_length=50, description="The compute clusters.")
    instances: list[InstanceSettings] = Field(
        default_factory=list, max_length=50, description="The compute instances: machines of single users."
    )
    attached_computes: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{2,32}$")]] = Field(
        default_factory=list,
        description="Computes of the workspace that something else attaches, such as a Kubernetes cluster. Asset files "
        "can use them as `azureml:<name>`.",
        examples=[["k8s-training"]],
    )
    identities: IdentitiesSettings = Field(
        default_factory=IdentitiesSettings, description="The identity of continuous integration."
    )
    access: AccessSettings = Field(default_factory=AccessSettings, description="Roles of people.")
    network: NetworkSettings = Field(default_factory=NetworkSettings, description="Network access.")
    registry: RegistrySettings = Field(default_factory=RegistrySettings, description="The container registry.")
    storage: StorageSettings = Field(default_factory=StorageSettings, description="The storage account.")
    key_vault: KeyVaultSettings = Field(default_factory=KeyVaultSettings, description="The key vault.")
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="Retention of logs and deleted resources."
    )
    image: ImageSettings = Field(default_factory=ImageSettings, description="The Docker images of environments.")
    assets: AssetsSettings = Field(default_factory=AssetsSettings, description="Management of assets.")
    rollout: RolloutSettings = Field(default_factory=RolloutSettings, description="Rollouts of new deployments.")
    sharing: SharingSettings = Field(default_factory=SharingSettings, description="The registry that shares assets.")
    monitoring: MonitoringSettings = Field(
        default_factory=MonitoringSettings, description="Alerts, and retraining after drift."
    )
    overrides: OverridesSettings = Field(
        default_factory=OverridesSettings, description="Values in place of those in the asset files."
    )
    models: dict[str, ModelSettings] = Field(default_factory=dict, description="Promoted models, by endpoint name.")

    @property
    def compute_targets(self) -> list[str]:
        """The names of all computes that asset files can use."""
        clusters, instances = ([each.name for each in own] for own in (self.compute, self.instances))
        return [*clusters, *instances, *self.attached_computes]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        names = [name.lower() for name in self.compute_targets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            problems.append(
                f"compute, instances and attachedComputes have the same name twice: {', '.join(twice)}; computes of a "
                "workspace have different names"
            )
        problems += self.network.problems(premium_registry=self.registry.sku is RegistrySku.PREMIUM)
        if self.monitoring.retrain is not None and not self.network.public_access:
            problems.append(
                "monitoring.retrain needs network.publicAccess, because a Logic App reaches the workspace and its "
                "storage account by their public addresses; remove it, and start the training with `release train`"
            )
        ours = (self.sharing.registry or "").lower()
        for endpoint, model in self.models.items():
            if model.registry is not None and model.registry.lower() != ours:
                problems.append(
                    f"models.{endpoint} is in registry {model.registry}, and sharing.registry is "
                    f"{self.sharing.registry or 'not set'}; set sharing.registry to {model.registry}, and "
                    "sharing.resourceGroup, so that the stack's identities may read the model"
                )
        for key, value in self.tags.items():
            if key.lower() in RESERVED_TAGS:
                problems.append(f"tags.{key} is reserved, because the project sets this tag")
            elif key.lower().startswith(_AZURES_TAGS):
                problems.append(f"tags.{key} begins with azure, microsoft or windows, which Azure reserves")
            elif not 0 < len(key) <= 128 or _TAG_FORBIDDEN.search(key) or len(value) > 256:
                problems.append(
                    f"tags.{key} is not a valid tag; a name has 1-128 characters without <>%&\\?/, and a value has at "
                    "most 256 characters"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError("must be the short name of an Azure region, such as westeurope")
    # Only a name that looks like a mistyped one is wrong without asking Azure. Digits make other regions.
    letters = value.rstrip("0123456789")
    near = difflib.get_close_matches(value, REGIONS, n=1, cutoff=0.8)
    if value not in REGIONS and near and letters != near[0].rstrip("0123456789"):
        raise ValueError(f"is not a known Azure region; did you mean {near[0]}?")
    return value


class CloudSettings(Group):
    """The subscription of the stack."""

    tenant_id: Guid = Field(description="Entra ID tenant of the subscription.")
    subscription_id: Guid = Field(description="Subscription of all resources.")
    location: Annotated[str, AfterValidator(_region)] = Field(
        description="Azure region of all resources, as a short name.", examples=["westeurope"]
    )
