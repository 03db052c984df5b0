"""The settings of the example: the keys below `tacos-burritos:` in the stack's file."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator
from stored.settings import DeclaredRun, RecurringRun

from infra.settings import configuration
from infra.settings.group import Group

NAMESPACE = "tacos-burritos"


class PoolSettings(Group):
    """A node pool. The autoscaler keeps its size between two numbers of nodes."""

    vm_size: str = Field(
        default="Standard_D4s_v3",
        pattern=r"^Standard_[A-Za-z]+[0-9]+[a-z]*s[a-z]*(_v[0-9]+)?$",
        description="Virtual machine size of every node. An `s` in it means premium storage, which the volume needs.",
        examples=["Standard_D4s_v3"],
    )
    min_nodes: int = Field(default=1, ge=0, le=1000, description="Minimum number of nodes.")
    max_nodes: int = Field(default=3, ge=1, le=1000, description="Maximum number of nodes.")

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"minNodes ({self.min_nodes}) must not exceed maxNodes ({self.max_nodes})")
        return self


class ClusterSettings(Group):
    """The Kubernetes cluster. The system pool runs what AKS needs, the user pool runs the pipeline."""

    kubernetes_version: str = Field(
        default="1.34",
        pattern=r"^1\.\d+(\.\d+)?$",
        description="Version of Kubernetes. Without a patch, AKS takes the newest one.",
        examples=["1.34"],
    )
    system_pool: PoolSettings = Field(default_factory=PoolSettings, description="The pool of the system's pods.")
    user_pool: PoolSettings = Field(default_factory=PoolSettings, description="The pool of the pipeline's pods.")

    @model_validator(mode="after")
    def _system(self) -> Self:
        if self.system_pool.min_nodes < 1:
            raise ValueError("systemPool.minNodes must be 1 or more: a system pool is never empty")
        return self


class DiskSku(StrEnum):
    """Managed disks for the volume."""

    PREMIUM = "Premium_LRS"
    STANDARD_SSD = "StandardSSD_LRS"


class VolumeSettings(Group):
    """The disk that the steps share."""

    gibibytes: int = Field(default=5, ge=1, le=32767, description="Size of the disk. It can grow, and not shrink.")
    sku: DiskSku = Field(default=DiskSku.PREMIUM, description="Type of the managed disk.")


class PipelineAccess(StrEnum):
    """What the identity of the pipeline may do in Azure."""

    LEAST_PRIVILEGE = "LeastPrivilege"
    CONTRIBUTOR = "Contributor"


class PipelineSettings(Group):
    """The identity that the pipeline's pods sign in with."""

    access: PipelineAccess = Field(
        default=PipelineAccess.LEAST_PRIVILEGE,
        description="`LeastPrivilege`: what the steps do. `Contributor`: all in the resource group, except roles.",
    )


class KubeflowSettings(Group):
    """A repository of yours with Kubeflow's manifests, which Flux applies to the cluster."""

    repository: str = Field(
        pattern=r"^(https|ssh)://\S+$",
        description="URL of the Git repository.",
        examples=["https://github.com/contoso/kubeflow-manifests"],
    )
    tag: str = Field(
        min_length=1, description="Tag of the repository, so that nothing changes by itself.", examples=["2.5.0"]
    )
    path: str = Field(default="./", description="Folder of the repository with a kustomization.")


class Settings(Group):
    """Everything under `tacos-burritos:` in a stack file."""

    cluster: ClusterSettings = Field(default_factory=ClusterSettings, description="The Kubernetes cluster.")
    volume: VolumeSettings = Field(default_factory=VolumeSettings, description="The disk that the steps share.")
    pipeline: PipelineSettings = Field(default_factory=PipelineSettings, description="The identity of the pipeline.")
    kubeflow: KubeflowSettings | None = Field(
        default=None, description="Kubeflow's manifests. If absent, the stack does not install Kubeflow."
    )
    runs: list[DeclaredRun] = Field(default_factory=list, description="Runs of the pipeline that an update starts.")
    recurring_runs: list[RecurringRun] = Field(
        default_factory=list, description="Runs of the pipeline that start again and again."
    )

    @model_validator(mode="after")
    def _names(self) -> Self:
        for key, names in (
            ("runs", [each.name for each in self.runs]),
            ("recurringRuns", [each.name for each in self.recurring_runs]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{key} has more than one run with the name {', '.join(twice)}")
        return self


def read() -> Settings:
    """Read the settings of the stack.

    Raises:
        ConfigurationError: A key is unknown or missing, or a value has a wrong type or is out of range.
    """
    return configuration.read_group(Settings, NAMESPACE)
