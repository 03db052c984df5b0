"""The catalogue: every asset's YAML and code, read, resolved, hashed and validated before anything is registered.

Plain Python, and a pure function of the working tree and the settings. It imports neither Pulumi nor a client of Azure.
"""

from pulumi_azureml.planning.assets import Asset, AssetId, BuildPlan, reference
from pulumi_azureml.planning.catalogue import Catalogue, load_catalogue, plan_definitions
from pulumi_azureml.planning.changes import Change, explain
from pulumi_azureml.planning.config_keys import ConfigKeys
from pulumi_azureml.planning.folders import Folders
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

__all__ = [
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
    "ModelChoice",
    "Overridden",
    "Overrides",
    "PipelineOverrides",
    "Problem",
    "ScheduleOverrides",
    "explain",
    "load_catalogue",
    "plan_definitions",
    "reference",
]
