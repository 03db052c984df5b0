"""Rules about network access."""

from __future__ import annotations

from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource

_VAULT = "azure-native:keyvault:Vault"
_WORKSPACE = "azure-native:machinelearningservices:Workspace"


@rule(
    "public-network-access", "mandatory",
    _WORKSPACE, "azure-native:storage:StorageAccount", "azure-native:containerregistry:Registry", _VAULT,
    "azure-native:machinelearningservices:Registry", "azureml:OnlineEndpoint",
    reason="A stolen token is enough to reach a resource that accepts requests from everywhere.",
    fix="set network.publicAccess to false or network.allowedIpRanges, and `public_network_access: disabled` in the "
    "YAML of an endpoint",
    production=True,
)  # fmt: skip
def public_network_access(resource: Resource, scene: Scene) -> Iterator[str]:
    """Not every address may call. Storage, registry and vault may accept selected networks."""
    del scene
    if resource.type == "azureml:OnlineEndpoint":
        if str(resource.get("definition.public_network_access") or "enabled").lower() == "enabled":
            yield "public_network_access is enabled"
        return
    properties = "properties." if resource.type == _VAULT else ""
    rules = "properties.networkAcls" if resource.type == _VAULT else "networkRuleSet"
    path = f"{properties}publicNetworkAccess"
    if resource.is_unknown(path) or resource.get(f"{rules}.defaultAction") == "Deny":
        return
    if str(resource.get(path) or "Enabled").lower() != "disabled":
        yield "publicNetworkAccess is Enabled, and no firewall limits who may call"


@rule(
    "managed-network", "mandatory", _WORKSPACE,
    reason="Without a managed network, code on a node can send data to any destination.",
    fix="set network.isolation to AllowOnlyApprovedOutbound or AllowInternetOutbound",
    production=True,
)  # fmt: skip
def managed_network(resource: Resource, scene: Scene) -> Iterator[str]:
    """A production workspace has a managed network."""
    del scene
    if resource.is_unknown("managedNetwork.isolationMode"):
        return
    if resource.get("managedNetwork.isolationMode") in (None, "Disabled"):
        yield "managedNetwork.isolationMode is Disabled"


@rule(
    "node-public-ip", "mandatory", "azure-native:machinelearningservices:Compute",
    reason="A node with a public address can be reached from the internet.",
    fix="set network.isolation, which takes the public addresses away",
    production=True,
)  # fmt: skip
def node_public_ip(resource: Resource, scene: Scene) -> Iterator[str]:
    """Nodes have no public address. Azure gives them one unless the cluster says otherwise."""
    del scene
    path = "properties.properties.enableNodePublicIp"
    if not resource.is_unknown(path) and resource.get(path) is not False:
        yield "enableNodePublicIp is true"


@rule(
    "node-remote-login", "mandatory", "azure-native:machinelearningservices:Compute",
    reason="An open SSH port is a way in that no role controls.",
    fix="set remoteLoginPortPublicAccess to Disabled",
)  # fmt: skip
def node_remote_login(resource: Resource, scene: Scene) -> Iterator[str]:
    """Nodes do not accept SSH from the internet."""
    del scene
    access = resource.get("properties.properties.remoteLoginPortPublicAccess")
    if access == "Enabled":
        yield "remoteLoginPortPublicAccess is Enabled"


@rule(
    "storage-transport", "mandatory", "azure-native:storage:StorageAccount",
    reason="Old protocols let others read or change data on its way.",
    fix="set enableHttpsTrafficOnly to true and minimumTlsVersion to TLS1_2 or later",
)  # fmt: skip
def storage_transport(resource: Resource, scene: Scene) -> Iterator[str]:
    """HTTPS with TLS 1.2 or later. Without a value, Azure accepts older versions."""
    del scene
    if resource.get("enableHttpsTrafficOnly") is False:
        yield "enableHttpsTrafficOnly is false"
    if not resource.is_unknown("minimumTlsVersion"):
        version = resource.get("minimumTlsVersion")
        if version in (None, "TLS1_0", "TLS1_1"):
            yield f"minimumTlsVersion is {version or 'not set'}"
