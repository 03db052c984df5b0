"""Computes of a workspace. Clusters scale between two sizes. Nodes are processes or containers of this machine.

Compute instances are in `instances.py`.
"""

from __future__ import annotations

import re
from typing import Any

from amlite.core import regions
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.containerservice.clusters import CLUSTER_TYPE
from amlite.services.kubernetesconfiguration import extensions
from amlite.services.machinelearning import instances, networks, quota, references, sizes
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import COMPUTE_TYPE, workspace
from amlite.services.managedidentity import identities

# Minimum and maximum length of a name by type. Source: Azure's resource naming rules.
_LENGTHS = {"amlcompute": (3, 32), "computeinstance": (3, 24)}
_OTHER_LENGTHS = (2, 16)
_CLUSTERS = (CLUSTER_TYPE.lower(), "microsoft.kubernetes/connectedclusters")
# The instance type that Azure's extension defines in every cluster. Source: "Create and manage instance types".
_INSTANCE_TYPES: Json = {
    "defaultinstancetype": {
        "resources": {"requests": {"cpu": "100m", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
    }
}

# What the published models call secret: at the top of the compute's own properties, and in objects in them. amlite has
# no use for them, and no response has them.
_SECRETS = {
    "": ("databricksAccessToken", "relayConnectionString", "serviceBusConnectionString"),
    "administratorAccount": ("password", "privateKeyData"),
    "sslConfiguration": ("cert", "key"),
    "userAccountCredentials": ("adminUserPassword",),
}


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("ComputeResource", body)
    compute = body.get("properties") or {}
    if "computeType" not in compute:
        raise AzureError(400, "ValidationError", "properties.computeType: The computeType field is required.")
    kind = compute["computeType"]
    _drop_secrets(compute.get("properties") or {})
    if compute.get("computeLocation"):
        regions.require(compute["computeLocation"], COMPUTE_TYPE)
    _check_name(resource_id.name, kind)
    if old and old["properties"]["computeType"].lower() != kind.lower():
        raise AzureError(400, "BadRequest", f"Compute '{resource_id.name}' exists with another computeType.")
    owner = workspace(platform, str(resource_id.parent))
    _check_network(owner.body, resource_id.name, kind.lower(), compute.get("properties") or {})
    if named := (body.get("identity") or {}).get("userAssignedIdentities"):
        body["identity"]["userAssignedIdentities"] = identities.assigned(platform, named)
    location = owner.body["location"]
    if kind.lower() == "amlcompute":
        compute["properties"] = _cluster(platform, resource_id.name, location, compute.get("properties") or {}, old)
    elif kind.lower() == "computeinstance":
        given = compute.get("properties") or {}
        compute["properties"] = instances.prepare(platform, resource_id, location, given, old)
    elif kind.lower() == "kubernetes":
        compute = _kubernetes(platform, owner.body, compute)
    if networks.is_isolated(owner.body) and (kind.lower() == "computeinstance" or _has_nodes(compute)):
        networks.provision(platform, owner.id)
    now = platform.clock.stamp()
    added = {
        "computeLocation": compute.get("computeLocation") or location,
        "createdOn": old["properties"]["createdOn"] if old else now,
        "modifiedOn": now,
        "isAttachedCompute": kind.lower() not in _LENGTHS,
        "disableLocalAuth": compute.get("disableLocalAuth", True),
        "provisioningErrors": None,
    }
    return {"location": location, "tags": {}, **body, "properties": {**compute, **added}}


def _drop_secrets(given: Json) -> None:
    for name, secrets in _SECRETS.items():
        holder: Json = (given.get(name) or {}) if name else given
        for each in secrets:
            holder.pop(each, None)


def _check_network(owner: Json, name: str, kind: str, given: Json) -> None:
    """Reject nodes without public IP addresses outside a virtual network, and attached clusters in a managed network.

    Sources: "Limitations" of how-to-managed-network, and how-to-secure-training-vnet ("No public IP").
    """
    isolated = networks.is_isolated(owner)
    if kind in _LENGTHS and given.get("enableNodePublicIp") is False and not (isolated or given.get("subnet")):
        raise AzureError(
            400,
            "BadRequest",
            f"Compute '{name}' without public IP addresses (enableNodePublicIp is false) needs a managed virtual "
            "network of the workspace, or a subnet.",
        )
    if kind == "kubernetes" and isolated:
        raise AzureError(
            400, "BadRequest", f"Compute '{name}': Kubernetes is not supported in a managed virtual network."
        )


def _has_nodes(compute: Json) -> bool:
    return int(((compute.get("properties") or {}).get("scaleSettings") or {}).get("minNodeCount") or 0) > 0


def _cluster(platform: Platform, name: str, region: str, given: Json, old: Json | None) -> Json:
    size = sizes.require(given.get("vmSize"))
    before = old["properties"]["properties"] if old else {}
    priority = given.get("vmPriority", "Dedicated")
    # Azure accepts another size or priority for an existing cluster but keeps the old one. Sources: issues 18889 of
    # Azure/azure-rest-api-specs and 15825 of hashicorp/terraform-provider-azurerm.
    kept = {"vmSize": before.get("vmSize", size.name.upper()), "vmPriority": before.get("vmPriority", priority)}
    scale = {"minNodeCount": 0, "nodeIdleTimeBeforeScaleDown": "PT120S", **(given.get("scaleSettings") or {})}
    least, most = int(scale["minNodeCount"]), int(scale.get("maxNodeCount", 1))
    if not 0 <= least <= most:
        raise AzureError(
            400, "BadRequest", f"scaleSettings: minNodeCount ({least}) must be between 0 and maxNodeCount ({most})."
        )
    if old is None and priority.lower() == "dedicated":
        quota.require_node(platform, region, size, least)
    defaults = {"osType": "Linux", "remoteLoginPortPublicAccess": "NotSpecified", "enableNodePublicIp": True}
    counts = ("idle", "leaving", "preempted", "preparing", "running", "unusable")
    state = {
        "allocationState": "Steady",
        "currentNodeCount": 0,
        "targetNodeCount": least,
        "nodeStateCounts": {f"{count}NodeCount": 0 for count in counts},
    }
    wanted = {**defaults, **given, **kept}
    return {**wanted, "scaleSettings": {**scale, "minNodeCount": least, "maxNodeCount": most}, **state}


def _kubernetes(platform: Platform, owner: Json, compute: Json) -> Json:
    """Add the service's defaults for an attached cluster: its namespace and the default instance type."""
    target = ResourceId.parse(str(compute.get("resourceId") or ""))
    if target is None or target.type.lower() not in _CLUSTERS:
        raise AzureError(
            400,
            "BadRequest",
            "properties.resourceId: must be the ARM id of a cluster (Microsoft.ContainerService/managedClusters or "
            "Microsoft.Kubernetes/connectedClusters).",
        )
    if target.type.lower() == CLUSTER_TYPE.lower():
        _check_cluster(platform, owner, str(target))
    given = compute.get("properties") or {}
    types = {**_INSTANCE_TYPES, **(given.get("instanceTypes") or {})}
    default = given.get("defaultInstanceType") or next(iter(_INSTANCE_TYPES))
    if default not in types:
        raise AzureError(400, "BadRequest", f"properties.properties.defaultInstanceType: '{default}' is not defined.")
    filled = {"namespace": "default", **given, "instanceTypes": types, "defaultInstanceType": default}
    return {**compute, "properties": filled}


def _check_cluster(platform: Platform, owner: Json, cluster: str) -> None:
    """Refuse a managed cluster that does not exist, has no extension, or that the workspace may not read.

    Source: "Attach to workspace with user-assigned managed identity" in how-to-attach-kubernetes-to-workspace. A
    system-assigned identity gets its roles by itself.
    """
    if platform.store.get(cluster) is None:
        raise AzureError(400, "ClusterNotFound", f"Cannot found Kubernetes cluster. ('{cluster}' does not exist.)")
    named = (owner.get("identity") or {}).get("userAssignedIdentities") or {}
    holders = [Principal(each["principalId"], each["clientId"]) for each in named.values()]

    def may(action: str) -> bool:
        return not holders or any(platform.access.allowed(holder, cluster, action) for holder in holders)

    if extensions.machine_learning(platform, cluster) is None or not may(f"{extensions.EXTENSION_TYPE}/read"):
        raise AzureError(
            400,
            "BadRequest",
            f"Azure Machine Learning extension not installed in cluster '{cluster}', or the identity of the workspace "
            "has no permission to read it (Kubernetes Extension Contributor).",
        )
    if not may(f"{CLUSTER_TYPE}/listClusterAdminCredential/action"):
        raise AzureError(
            500,
            "InternalServerError",
            "Internal server error. (The identity of the workspace is not an Azure Kubernetes Service Cluster Admin.)",
        )


def _check_name(name: str, kind: str) -> None:
    least, most = _LENGTHS.get(kind.lower(), _OTHER_LENGTHS)
    if not least <= len(name) <= most or re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?", name) is None:
        raise AzureError(
            400,
            "BadRequest",
            f"The compute name '{name}' is invalid: names of {kind} are {least}-{most} letters, digits and hyphens, "
            "begin with a letter and do not end with a hyphen.",
        )


async def _created(platform: Platform, resource_id: ResourceId) -> None:
    instances.created(platform, str(resource_id))


async def _list_nodes(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    compute = references.compute(platform, str(resource_id.parent), str(resource_id))
    instances.require_kind(compute, "AmlCompute", "ListNodes")
    return {"nodes": []}


async def _update_idle_shutdown(platform: Platform, resource_id: ResourceId, body: Json) -> Any:
    compute = references.compute(platform, str(resource_id.parent), str(resource_id))
    instances.require_kind(compute, instances.KIND, "UpdateIdleShutdownSetting")
    return instances.set_idle_time(platform, compute, body.get("idleTimeBeforeShutdown"))


TYPES = [
    ResourceType(
        COMPUTE_TYPE,
        pattern=r"[\w-]{1,64}",
        located=False,
        asynchronous=True,
        linked={"properties.resourceId": f"{CLUSTER_TYPE}/listClusterAdminCredential/action"},
        prepare=_prepare,
        created=_created,
        actions={"listnodes": _list_nodes, "updateidleshutdownsetting": _update_idle_shutdown},
    )
]
