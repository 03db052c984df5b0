"""Rules about tags."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

_TAGGED = (
    "azure-native:resources:ResourceGroup",
    "azure-native:operationalinsights:Workspace",
    "azure-native:applicationinsights:Component",
    "azure-native:storage:StorageAccount",
    "azure-native:keyvault:Vault",
    "azure-native:containerregistry:Registry",
    "azure-native:managedidentity:UserAssignedIdentity",
    "azure-native:machinelearningservices:Workspace",
    "azure-native:machinelearningservices:Compute",
    "azure-native:machinelearningservices:Registry",
    "azure-native:monitor:ActionGroup",
    "azure-native:monitor:MetricAlert",
    "azure-native:eventgrid:SystemTopic",
)


@rule(
    "required-tags", "mandatory", *_TAGGED,
    reason="Tags show the owner and the costs of a resource.",
    fix="add the tags to azureml-platform:tags in the stack file",
)  # fmt: skip
def required_tags(resource: Resource, scene: Scene) -> Iterator[str]:
    """Each resource that supports tags has the tags in `requiredTags`."""
    if resource.is_unknown("tags"):
        return
    tags = resource.get("tags") or {}
    missing = [name for name in scene.environment.required_tags if not tags.get(name)]
    if missing:
        yield f"tags are missing: {', '.join(missing)}"
