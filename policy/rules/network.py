"""Rules about network access."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from policy.rule import Scene, rule
from policy.subject import Resource, texts

_VAULT = "azure-native:keyvault:Vault"
_WORKSPACE = "azure-native:machinelearningservices:Workspace"
# The widest range of a firewall that still limits who may call.
_WIDEST = 8


@rule(
    "public-network-access", "mandatory",
    _WORKSPACE, "azure-native:storage:StorageAccount", "azure-native:containerregistry:Registry", _VAULT,
    "azure-native:machinelearningservices:Registry", "azureml:OnlineEndpoint",
    reason="With a stolen token, an attacker can reach a publicly accessible resource from anywhere.",
    fix="set network.publicAccess to false or network.allowedIpRanges, and `public_network_access: disabled` in the "
    "YAML of an endpoint",
    elsewhere="off",
)  # fmt: skip
def public_network_access(resource: Resource, scene: Scene) -> Iterator[str]:
    """The resource does not accept requests from all networks. Storage, registry and vault can allow some."""
    del scene
    if resource.type == "azureml:OnlineEndpoint":
        if str(resource.get("definition.public_network_access") or "enabled").strip().lower() != "disabled":
            yield "public_network_access is enabled"
        return
    properties = "properties." if resource.type == _VAULT else ""
    rules = "properties.networkAcls" if resource.type == _VAULT else "networkRuleSet"
    path = f"{properties}publicNetworkAccess"
    if resource.is_unknown(path) or str(resource.get(path) or "Enabled").lower() == "disabled":
        return
    if str(resource.get(f"{rules}.defaultAction")).lower() == "deny":
        wide = [text for _, text in texts(resource.get(f"{rules}.ipRules") or []) if _is_wide(text)]
        yield from [f"the firewall lets {', '.join(wide)} in"] if wide else []
    elif not resource.is_unknown(f"{rules}.defaultAction"):
        yield "publicNetworkAccess is Enabled, and no firewall limits who may call"


def _is_wide(text: str) -> bool:
    try:
        return ipaddress.ip_network(text, strict=False).prefixlen < _WIDEST
    except ValueError:
        return False  # another key of the rule, such as `Allow`


@rule(
    "managed-network", "mandatory", _WORKSPACE,
    reason="Without a managed network, code on a node can send data to any address.",
    fix="set network.isolation to AllowOnlyApprovedOutbound or AllowInternetOutbound",
    elsewhere="off",
)  # fmt: skip
def managed_network(resource: Resource, scene: Scene) -> Iterator[str]:
    """A production workspace has a managed network."""
    del scene
    if resource.is_unknown("managedNetwork.isolationMode"):
        return
    if resource.word("managedNetwork.isolationMode") in (None, "disabled"):
        yield "managedNetwork.isolationMode is Disabled"


@rule(
    "node-public-ip", "mandatory", "azure-native:machinelearningservices:Compute",
    reason="A node with a public IP address is reachable from the internet.",
    fix="set network.isolation, which removes the public IP addresses",
    elsewhere="off",
)  # fmt: skip
def node_public_ip(resource: Resource, scene: Scene) -> Iterator[str]:
    """Nodes have no public IP address. Azure assigns one by default."""
    del scene
    path = "properties.properties.enableNodePublicIp"
    if not resource.is_unknown(path) and resource.flag(path) is not False:
        yield "enableNodePublicIp is true"


@rule(
    "node-remote-login", "mandatory", "azure-native:machinelearningservices:Compute",
    reason="Roles do not control access through an open SSH port.",
    fix="set remoteLoginPortPublicAccess to Disabled",
)  # fmt: skip
def node_remote_login(resource: Resource, scene: Scene) -> Iterator[str]:
    """Nodes do not accept SSH from the internet. Azure opens the port of a cluster outside a network by default."""
    del scene
    properties = "properties.properties"
    if resource.word(f"{properties}.sshSettings.sshPublicAccess") == "enabled":
        yield "sshPublicAccess is Enabled"
    path = f"{properties}.remoteLoginPortPublicAccess"
    if resource.word("properties.computeType") not in (None, "amlcompute") or resource.is_unknown(path):
        return
    access = resource.word(path)
    is_hidden = resource.flag(f"{properties}.enableNodePublicIp") is False or resource.get(f"{properties}.subnet")
    if access == "enabled" or (access != "disabled" and not is_hidden):
        yield f"remoteLoginPortPublicAccess is {resource.get(path) or 'not set'}"


@rule(
    "storage-transport", "mandatory", "azure-native:storage:StorageAccount",
    reason="With old protocols, attackers can read or change data in transit.",
    fix="set enableHttpsTrafficOnly to true and minimumTlsVersion to TLS1_2 or later",
)  # fmt: skip
def storage_transport(resource: Resource, scene: Scene) -> Iterator[str]:
    """The account accepts only HTTPS with TLS 1.2 or later. Azure accepts older versions by default."""
    del scene
    if resource.flag("enableHttpsTrafficOnly") is False:
        yield "enableHttpsTrafficOnly is false"
    if not resource.is_unknown("minimumTlsVersion"):
        version = resource.get("minimumTlsVersion")
        if str(version).upper() not in ("TLS1_2", "TLS1_3"):
            yield f"minimumTlsVersion is {version or 'not set'}"
