"""The catalogue: every asset's YAML and code, read, resolved, hashed and validated before anything is registered.

Plain Python, and a pure function of the working tree and the settings. It imports neither Pulumi nor a client of Azure.
"""

from pulumi_azureml.planning.assets import Asset, AssetId, BuildPlan, Left, reference
from pulumi_azureml.planning.catalogue import Catalogue, load_catalogue, plan_definitions
from pulumi_azureml.planning.changes import MISSING, Change, explain
from pulumi_azureml.planning.config_keys import ConfigKeys
from pulumi_azureml.planning.deployments import ENDPOINT_NAME, ENDPOINT_NAME_RULE, ENDPOINTS, SMOKE_REQUEST, serving
from pulumi_azureml.planning.drafts import DEFAULT_DATASTORES, is_local
from pulumi_azureml.planning.folders import Folders
from pulumi_azureml.planning.inputs import DATA, described, place, typed
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.kinds.batch_endpoint import default_deployment
from pulumi_azureml.planning.overrides import (
    DeploymentOverrides,
    EndpointOverrides,
    Overridden,
    Overrides,
    PipelineOverrides,
    ScheduleOverrides,
)
from pulumi_azureml.planning.problems import CatalogueErrors, Problem
from pulumi_azureml.planning.settings import CatalogueSettings, ModelChoice
from pulumi_azureml.planning.triggers import check as trigger_problems
from pulumi_azureml.planning.triggers import next_fire_times

__all__ = [
    "DATA",
    "DEFAULT_DATASTORES",
    "ENDPOINTS",
    "ENDPOINT_NAME",
    "ENDPOINT_NAME_RULE",
    "KINDS",
    "MISSING",
    "SMOKE_REQUEST",
    "Asset",
    "AssetId",
    "BuildPlan",
    "Catalogue",
    "CatalogueErrors",
    "CatalogueSettings",
    "Change",
    "ConfigKeys",
    "DeploymentOverrides",
    "EndpointOverrides",
    "Folders",
    "Left",
    "ModelChoice",
    "Overridden",
    "Overrides",
    "PipelineOverrides",
    "Problem",
    "ScheduleOverrides",
    "default_deployment",
    "described",
    "explain",
    "is_local",
    "load_catalogue",
    "next_fire_times",
    "place",
    "plan_definitions",
    "reference",
    "serving",
    "trigger_problems",
    "typed",
]
