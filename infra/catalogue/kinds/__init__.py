"""The kinds of assets, one file each. They claim files in this order."""

from infra.catalogue.kinds.component import ComponentKind
from infra.catalogue.kinds.data import DataKind
from infra.catalogue.kinds.deployment import DeploymentKind
from infra.catalogue.kinds.endpoint import EndpointKind
from infra.catalogue.kinds.environment import EnvironmentKind
from infra.catalogue.kinds.kind import Kind
from infra.catalogue.kinds.model import ModelKind
from infra.catalogue.kinds.pipeline import PipelineKind
from infra.catalogue.kinds.schedule import ScheduleKind

KINDS: tuple[Kind, ...] = (
    EnvironmentKind(),
    DataKind(),
    ModelKind(),
    EndpointKind(),
    DeploymentKind(),
    ScheduleKind(),
    ComponentKind(),
    PipelineKind(),
)

__all__ = ["KINDS", "Kind"]
