"""Azure Machine Learning's components, environments, data, models, schedules and endpoints as Pulumi resources.

    import pulumi_azureml as azureml

Each resource takes its arguments by keyword or as an object of them. `Assets` makes a resource of each asset that
`load_catalogue` finds in a folder of `az ml` YAML.
"""

from pulumi_azureml.planning import (
    Asset,
    Catalogue,
    CatalogueErrors,
    CatalogueSettings,
    ConfigKeys,
    Folders,
    ModelChoice,
    Problem,
    load_catalogue,
)
from pulumi_azureml.resources.assets import Assets
from pulumi_azureml.resources.declarations import AssetsArgs
from pulumi_azureml.resources.kinds.batch_deployment import BatchDeployment, BatchDeploymentArgs
from pulumi_azureml.resources.kinds.batch_endpoint import BatchEndpoint, BatchEndpointArgs
from pulumi_azureml.resources.kinds.component import Component, ComponentArgs
from pulumi_azureml.resources.kinds.data import DataAsset, DataAssetArgs
from pulumi_azureml.resources.kinds.datastore import Datastore, DatastoreArgs
from pulumi_azureml.resources.kinds.environment import BuildContextArgs, Environment, EnvironmentArgs
from pulumi_azureml.resources.kinds.model import Model, ModelArgs
from pulumi_azureml.resources.kinds.online_deployment import OnlineDeploymentArgs
from pulumi_azureml.resources.kinds.online_endpoint import OnlineEndpoint, OnlineEndpointArgs
from pulumi_azureml.resources.kinds.pipeline_job import PipelineJob, PipelineJobArgs
from pulumi_azureml.resources.kinds.schedule import (
    CronTriggerArgs,
    RecurrencePatternArgs,
    RecurrenceTriggerArgs,
    Schedule,
    ScheduleArgs,
)
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.rollout import AutoscaleArgs, ChecksArgs, RolloutArgs
from pulumi_azureml.resources.scoring import CodeConfigurationArgs

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
    "Environment",
    "EnvironmentArgs",
    "Folders",
    "Model",
    "ModelArgs",
    "ModelChoice",
    "OnlineDeploymentArgs",
    "OnlineEndpoint",
    "OnlineEndpointArgs",
    "PipelineJob",
    "PipelineJobArgs",
    "Problem",
    "RecurrencePatternArgs",
    "RecurrenceTriggerArgs",
    "RegistryArgs",
    "RolloutArgs",
    "Schedule",
    "ScheduleArgs",
    "WorkspaceArgs",
    "load_catalogue",
]
