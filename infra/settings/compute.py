"""The settings of compute clusters: the entries of `azureml-platform:compute`."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.group import Group

_ISO_DURATION = re.compile(r"PT(?=\d)(\d+H)?(\d+M)?(\d+S)?")


def _idle_time(value: str) -> str:
    if not _ISO_DURATION.fullmatch(value):
        raise ValueError("must be an ISO 8601 duration of hours, minutes or seconds, such as PT15M")
    return value


class VmPriority(StrEnum):
    """Low-priority nodes cost less, but Azure may remove them while a job runs."""

    DEDICATED = "Dedicated"
    LOW_PRIORITY = "LowPriority"


class ComputeSettings(Group):
    """A compute cluster. Asset files refer to it as `azureml:<name>`."""

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
    min_nodes: int = Field(default=0, ge=0, description="Minimum number of nodes. 0 costs nothing when idle.")
    max_nodes: int = Field(default=2, ge=1, le=1000, description="Maximum number of nodes.")
    idle_time: Annotated[str, AfterValidator(_idle_time)] = Field(
        default="PT15M",
        description="Idle time before a node is removed, as an ISO 8601 duration.",
        examples=["PT15M"],
    )
    priority: VmPriority = Field(
        default=VmPriority.DEDICATED,
        description="`LowPriority` nodes cost less, but Azure may remove them while a job runs.",
    )

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"minNodes ({self.min_nodes}) must not exceed maxNodes ({self.max_nodes})")
        return self
