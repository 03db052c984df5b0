"""Every kind by its name in the catalogue."""

from infra.azureml.kinds.component import ComponentKind
from infra.azureml.kinds.data import DataKind
from infra.azureml.kinds.endpoint import EndpointKind
from infra.azureml.kinds.environment import EnvironmentKind
from infra.azureml.kinds.kind import Kind
from infra.azureml.kinds.model import ModelKind
from infra.azureml.kinds.schedule import ScheduleKind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (ComponentKind(), DataKind(), EndpointKind(), EnvironmentKind(), ModelKind(), ScheduleKind())
}
