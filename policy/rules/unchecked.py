"""Rules about resources that the other rules cannot look into."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

# Whole templates, scripts and generic resources, and the providers whose types no rule names.
_TEMPLATES = (
    "azure-native:resources:Deployment*",
    "azure-native:resources:Resource",
    "azure-native:resources:AzureCliScript",
    "azure-native:resources:AzurePowerShellScript",
    "azure-native:resources:TemplateSpecVersion",
    "azure:*",
    "azapi:*",
    "azurerm:*",
)
# What pulumi_azureml declares, with the rules for assets.
_ML = "azure-native:machinelearningservices"
_ASSETS = tuple(
    f"{_ML}:{each}"
    for each in (
        "BatchDeployment", "BatchEndpoint", "CodeVersion", "ComponentVersion", "DataVersion", "Datastore",
        "EnvironmentVersion", "Job", "ModelVersion", "OnlineDeployment", "OnlineEndpoint", "Schedule",
    )
)  # fmt: skip


@rule(
    "unchecked-resource", "mandatory", *_TEMPLATES, *_ASSETS,
    reason="The other rules do not see what is in it, so it can break each of them.",
    fix="declare the resource itself with pulumi_azure_native, or the asset with pulumi_azureml or a YAML file",
    elsewhere="advisory",
)  # fmt: skip
def unchecked_resource(resource: Resource, scene: Scene) -> Iterator[str]:
    """Each resource has a type that the rules know: no template, script or generic resource, and no other provider."""
    del scene
    yield f"no rule looks into {resource.type}"
