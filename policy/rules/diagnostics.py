"""Rules about the logs of resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.rule import Scene, rule
from policy.subject import Resource

_SETTING = "azure-native:monitor:DiagnosticSetting"
# The input with the resource's name in Azure.
_NAMES: Mapping[str, str] = {
    "azure-native:machinelearningservices:Workspace": "workspaceName",
    "azure-native:keyvault:Vault": "vaultName",
    "azure-native:containerregistry:Registry": "registryName",
}


@rule(
    "diagnostic-settings", "advisory", *_NAMES,
    reason="Without a diagnostic setting, no log shows who read a secret, pulled an image or ran a job.",
    fix="declare a DiagnosticSetting of pulumi_azure_native.monitor for the resource, with the id of the Log Analytics "
    "workspace as `workspace_id`, or agree on an exception",
    elsewhere="off",
    whole=True,
)  # fmt: skip
def diagnostic_settings(resource: Resource, scene: Scene) -> Iterator[str]:
    """A diagnostic setting sends the logs of production's workspace, vault and registry to Log Analytics."""
    settings = [each for each in scene.resources if each.type == _SETTING]
    if any(each.is_unknown("resourceUri") for each in settings):
        return  # it may be for this resource
    name = str(resource.get(_NAMES[resource.type]) or "").lower()
    own = [each for each in settings if str(each.get("resourceUri") or "").lower().rpartition("/")[2] == name]
    if not own:
        yield "no diagnostic setting sends its logs"
    elif not any(each.get("workspaceId") or each.is_unknown("workspaceId") for each in own):
        yield "its diagnostic setting does not send to Log Analytics"
