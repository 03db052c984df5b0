"""Managed virtual networks of workspaces: their settings, their provisioning, and the resources that nodes reach.

A network is the property `managedNetwork` of its workspace. Its outbound rules are separate resources, which the
property also shows. A network has no outbound access until it is provisioned.

Sources: Microsoft's "Workspace managed virtual network isolation" (how-to-managed-network), "Use managed compute in a
managed virtual network" (how-to-managed-network-compute), and the models of azure-ai-ml.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import identity_roles, references
from amlite.services.machinelearning.endpoints import ONLINE_TYPE
from amlite.services.machinelearning.references import COMPUTE_TYPE, RULE_TYPE
from amlite.services.storage.access import StorageError

DISABLED, INTERNET, APPROVED = "Disabled", "AllowInternetOutbound", "AllowOnlyApprovedOutbound"
ACTIVE, INACTIVE = "Active", "Inactive"
PROVISION = "machinelearning.provisionNetwork"
_ORDER = (DISABLED, INTERNET, APPROVED)
_REGISTRY_TYPE = "microsoft.containerregistry/registries"


def of(workspace: Json) -> Json:
    """Return the network of a workspace (an ARM envelope), or a `Disabled` network if it does not have one."""
    network: Json = workspace["properties"].get("managedNetwork") or {"isolationMode": DISABLED}
    return network


def is_isolated(workspace: Json) -> bool:
    """Return whether the nodes of a workspace are in a managed network."""
    return bool(of(workspace).get("isolationMode", DISABLED) != DISABLED)


def prepared(platform: Platform, workspace_id: str, given: Json | None, workspace: Json | None) -> Json | None:
    """Return the network of a workspace that is created or updated. Raises AzureError 400.

    Isolation can only become stricter, and can only be enabled while the workspace has no managed compute.
    """
    old: Json = of(workspace) if workspace else {}
    before = old.get("isolationMode", DISABLED)
    mode = (given or {}).get("isolationMode", before)
    if _ORDER.index(mode) < _ORDER.index(before):
        raise AzureError(
            400,
            "BadRequest",
            f"The isolation mode of the managed network of workspace '{workspace_id.rpartition('/')[2]}' is {before} "
            f"and cannot be changed to {mode}.",
        )
    if mode == DISABLED:
        return given
    if before == DISABLED and (blocking := list(_managed_computes(platform, workspace_id))):
        raise AzureError(
            400,
            "BadRequest",
            f"A managed network cannot be enabled while the workspace has managed compute: {', '.join(blocking)}. "
            "Delete these resources, and create them again afterwards.",
        )
    kept = {"networkId": str(uuid.uuid4()), "status": {"status": INACTIVE, "sparkReady": False}, **old}
    return {
        "firewallSku": "Standard",
        "enableNetworkMonitor": False,
        "managedNetworkKind": "V1",
        **kept,
        **(given or {}),
        "isolationMode": mode,
        "networkId": kept["networkId"],
        "status": kept["status"],
        "outboundRules": {**kept.get("outboundRules", {}), **((given or {}).get("outboundRules") or {})},
    }


def _managed_computes(platform: Platform, workspace_id: str) -> Iterator[str]:
    for document in platform.store.below(workspace_id, COMPUTE_TYPE):
        if not document.body["properties"].get("isAttachedCompute"):
            yield f"compute '{document.body['name']}'"
    for document in platform.store.below(workspace_id, ONLINE_TYPE):
        if not document.body["properties"].get("compute"):
            yield f"online endpoint '{document.body['name']}'"


def show(platform: Platform, workspace_id: str, *, without: str = "") -> None:
    """Write the outbound rules into the workspace's property. `without` is the id of a rule that is being deleted."""
    workspace = platform.store.get(workspace_id)
    if workspace is None or not is_isolated(workspace.body):
        return
    rules = [rule for rule in rules_of(platform, workspace_id) if rule.id.lower() != without.lower()]
    network = of(workspace.body)
    network["outboundRules"] = {rule.body["name"]: _shown(rule.body) for rule in rules}
    platform.store.put(workspace.id, workspace.type, workspace.body)


def _shown(rule: Json) -> Json:
    return {key: value for key, value in rule["properties"].items() if key != "provisioningState"}


def rules_of(platform: Platform, workspace_id: str) -> list[Document]:
    """Return the outbound rules of a workspace, including those that Azure adds."""
    return platform.store.below(workspace_id, RULE_TYPE)


def provision(platform: Platform, workspace_id: str, *, spark: bool = False) -> None:
    """Provision a network, so that all its rules become active. This can be repeated. Raises AzureError."""
    workspace = references.workspace(platform, workspace_id)
    network = of(workspace.body)
    for rule in rules_of(platform, workspace_id):
        check(platform, rule.body)
        identity_roles.require_approver(platform, workspace.body, rule.body)
        rule.body["properties"]["status"] = ACTIVE
        platform.store.put(rule.id, rule.type, rule.body)
    network["status"] = {"status": ACTIVE, "sparkReady": spark or network["status"]["sparkReady"]}
    platform.store.put(workspace.id, workspace.type, workspace.body)
    show(platform, workspace_id)


def check(platform: Platform, rule: Json) -> None:
    """Raise AzureError 400 for a private endpoint that cannot be created: only Premium registries support them."""
    if rule["properties"]["type"] != "PrivateEndpoint":
        return
    target = platform.store.get(rule["properties"]["destination"]["serviceResourceId"])
    if target is not None and target.type == _REGISTRY_TYPE and target.body["sku"]["name"] != "Premium":
        raise AzureError(
            400,
            "BadRequest",
            f"The private endpoint of outbound rule '{rule['name']}' cannot be created: container registry "
            f"'{target.body['name']}' has the SKU {target.body['sku']['name']}, and private endpoints need Premium.",
        )


def is_ready(workspace: Json) -> bool:
    """Return whether a workspace has no managed network, or a provisioned one."""
    return not is_isolated(workspace) or of(workspace)["status"]["status"] == ACTIVE


def require_ready(platform: Platform, workspace_id: str) -> None:
    """Raise Azure's error for an online deployment in a network that is not provisioned."""
    if not is_ready(references.workspace(platform, workspace_id).body):
        raise AzureError(
            400,
            "WorkspaceManagedNetworkNotReady",
            "Workspace managed network is not provisioned. Provision the workspace managed network before you create "
            "an online deployment: https://aka.ms/azureml-managed-network",
        )


def enter(platform: Platform, workspace_id: str, subresources: Iterable[str] = ("blob",)) -> None:
    """Place a node in a workspace's network. The first node provisions the network.

    Raises the error of the workspace's storage account or container registry if the node cannot reach it.
    """
    workspace = references.workspace(platform, workspace_id)
    if not is_ready(workspace.body):
        provision(platform, workspace.id)
    properties = workspace.body["properties"]
    for subresource in subresources:
        require_way(platform, workspace.id, properties["storageAccount"], subresource)
    require_way(platform, workspace.id, properties.get("containerRegistry"), "registry")


def require_way(platform: Platform, workspace_id: str, target_id: str | None, subresource: str) -> None:
    """Raise the target's own error unless a workspace's nodes reach it through a private endpoint or the internet.

    `target_id` is the ARM id of a storage account or container registry. Nodes reach None and unknown targets.
    """
    target = platform.store.get(target_id or "")
    if target is None:
        return
    workspace = references.workspace(platform, workspace_id)
    private = any(
        rule.body["properties"]["status"] == ACTIVE and leads_to(rule.body, target.id, subresource)
        for rule in rules_of(platform, workspace.id)
    )
    closed_in = of(workspace.body).get("isolationMode") == APPROVED
    if private or (not closed_in and is_public(target.body)):
        return
    name = target.body["name"]
    if target.type == _REGISTRY_TYPE:
        raise AzureError(
            403,
            "DENIED",
            f"denied: client with IP '20.0.0.1' is not allowed access to '{name}.azurecr.io'. Refer "
            "https://aka.ms/acr/firewall to grant access.",
        )
    raise StorageError(
        403,
        "AuthorizationFailure",
        f"This request is not authorized to perform this operation. The nodes of workspace "
        f"'{workspace.body['name']}' have no network access to {subresource}s of storage account '{name}'.",
    )


def is_public(target: Json) -> bool:
    """Return whether a storage account or container registry (an ARM envelope) accepts requests from any address."""
    properties = target["properties"]
    rules = properties.get("networkAcls") or properties.get("networkRuleSet") or {}
    return bool(properties.get("publicNetworkAccess", "Enabled") == "Enabled" and rules.get("defaultAction") != "Deny")


def leads_to(rule: Json, target_id: str, subresource: str) -> bool:
    """Return whether an outbound rule is a private endpoint to a subresource of a resource."""
    destination = rule["properties"].get("destination")
    return isinstance(destination, dict) and (
        str(destination.get("serviceResourceId")).lower() == target_id.lower()
        and str(destination.get("subresourceTarget")).lower() == subresource.lower()
    )
