from . import operations, planning
from .planning import (
    Asset,
    Catalogue,
    CatalogueErrors,
    CatalogueSettings,
    ConfigKeys,
    DeploymentOverrides,
    EndpointOverrides,
    Folders,
    Left,
    ModelChoice,
    Overrides,
    PipelineOverrides,
    Problem,
    ScheduleOverrides,
    load_catalogue,
)
from .resources.assets import Assets
from .resources.declarations import AssetsArgs
from .resources.kinds.batch_deployment import BatchDeployment, BatchDeploymentArgs
from .resources.kinds.batch_endpoint import BatchEndpoint, BatchEndpointArgs
from .resources.kinds.component import Component, ComponentArgs
from .resources.kinds.data import DataAsset, DataAssetArgs
from .resources.kinds.datastore import Datastore, DatastoreArgs
from .resources.kinds.deployment_template import DeploymentTemplate, DeploymentTemplateArgs
from .resources.kinds.environment import BuildContextArgs, Environment, EnvironmentArgs
from .resources.kinds.model import Model, ModelArgs
from .resources.kinds.online_deployment import OnlineDeploymentArgs
from .resources.kinds.online_endpoint import OnlineEndpoint, OnlineEndpointArgs
from .resources.kinds.pipeline_job import PipelineJob, PipelineJobArgs
from .resources.kinds.schedule import (
    CronTriggerArgs,
    RecurrencePatternArgs,
    RecurrenceTriggerArgs,
    Schedule,
    ScheduleArgs,
)
from .resources.managed_network import ManagedNetwork, ManagedNetworkArgs
from .resources.places import RegistryArgs, WorkspaceArgs
from .resources.rollout import AutoscaleArgs, ChecksArgs, RolloutArgs
from .resources.scoring import CodeConfigurationArgs

__all__ = [
    "Asset",
    "Assets",
    "AssetsArgs",
    "AutoscaleArgs",
    "BatchDeployment",
    "BatchDeploymentArgs",
    "BatchEndpoint",
    "BatchEndpointArgs",
    "BuildContextArgs",
    "Catalogue",
    "CatalogueErrors",
    "CatalogueSettings",
    "ChecksArgs",
    "CodeConfigurationArgs",
    "Component",
    "ComponentArgs",
    "ConfigKeys",
    "CronTriggerArgs",
    "DataAsset",
    "DataAssetArgs",
    "Datastore",
    "DatastoreArgs",
    "DeploymentOverrides",
    "DeploymentTemplate",
    "DeploymentTemplateArgs",
    "EndpointOverrides",
    "Environment",
    "EnvironmentArgs",
    "Folders",
    "Left",
    "ManagedNetwork",
    "ManagedNetworkArgs",
    "Model",
    "ModelArgs",
    "ModelChoice",
    "OnlineDeploymentArgs",
    "OnlineEndpoint",
    "OnlineEndpointArgs",
    "Overrides",
    "PipelineJob",
    "PipelineJobArgs",
    "PipelineOverrides",
    "Problem",
    "RecurrencePatternArgs",
    "RecurrenceTriggerArgs",
    "RegistryArgs",
    "RolloutArgs",
    "Schedule",
    "ScheduleArgs",
    "ScheduleOverrides",
    "WorkspaceArgs",
    "load_catalogue",
    "operations",
    "planning",
]
