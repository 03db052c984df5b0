"""Node pools: the entries of a cluster's `agentPoolProfiles`, which are resources of their own, too."""

from __future__ import annotations

import re

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json
from amlite.services.containerservice.clusters import AksError

_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
_SIZE = re.compile(r"standard_[a-z0-9_-]+", re.IGNORECASE)
_FIXED = ("vmSize", "osType", "type", "maxPods", "osDiskSizeGB", "osDiskType", "availabilityZones", "vnetSubnetID")
_REFUSED = ("vnetSubnetID", "podSubnetID", "proximityPlacementGroupID", "hostGroupID", "capacityReservationGroupID")
_MOST_NODES = 1000


def not_allowed(name: str) -> AzureError:
    """Return the error for a property that cannot be changed."""
    return AksError(400, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")


def of_cluster(given: list[Json] | None, old: Json | None, version: str) -> list[Json]:
    """Return a cluster's pools from the body of a PUT."""
    if not given:
        raise AksError(400, "InvalidParameter", "Required parameter agentPoolProfiles is missing (null).")
    before = {pool["name"]: pool for pool in (old["properties"]["agentPoolProfiles"] if old else [])}
    names = [str(pool.get("name", "")) for pool in given]
    if len(set(names)) < len(names):
        raise AksError(400, "InvalidParameter", "agentPoolProfiles: two pools have the same name.")
    gone = before.keys() - set(names)
    if gone:
        raise AksError(
            400,
            "InvalidParameter",
            f"agentPoolProfiles: a cluster's PUT does not delete pools ({', '.join(sorted(gone))}). Delete the agent "
            "pool instead.",
        )
    found = [_checked(pool, before.get(str(pool.get("name", ""))), version) for pool in given]
    _require_system(found)
    return found


def of_pool(platform: Platform, resource: ResourceId, body: Json, _old: Json | None) -> Json:
    """Return a pool from the body of its own PUT, and put it into its cluster."""
    cluster = platform.store.get(str(resource.parent))
    if cluster is None:
        raise AksError(404, "ParentResourceNotFound", f"There is no cluster '{resource.parent}'.")
    profiles: list[Json] = cluster.body["properties"]["agentPoolProfiles"]
    before = next((pool for pool in profiles if pool["name"] == resource.name), None)
    version = cluster.body["properties"]["kubernetesVersion"]
    pool = _checked({**body["properties"], "name": resource.name}, before, version)
    others = [each for each in profiles if each["name"] != resource.name]
    _require_system([*others, pool])
    cluster.body["properties"]["agentPoolProfiles"] = [*others, pool]
    platform.store.put(cluster.id, cluster.type, cluster.body)
    return {**body, "properties": {key: value for key, value in pool.items() if key != "name"}}


def check_deletion(platform: Platform, resource: ResourceId, _body: Json) -> None:
    """Raise the service's error for the deletion of the last system pool."""
    cluster = platform.store.get(str(resource.parent))
    if cluster is not None:
        _require_system(
            [pool for pool in cluster.body["properties"]["agentPoolProfiles"] if pool["name"] != resource.name]
        )


async def deleting(platform: Platform, resource: ResourceId) -> None:
    """Take a pool out of its cluster."""
    cluster = platform.store.get(str(resource.parent))
    if cluster is not None:
        profiles = cluster.body["properties"]["agentPoolProfiles"]
        cluster.body["properties"]["agentPoolProfiles"] = [pool for pool in profiles if pool["name"] != resource.name]
        platform.store.put(cluster.id, cluster.type, cluster.body)


def _checked(pool: Json, before: Json | None, version: str) -> Json:
    name = str(pool.get("name", ""))
    if not _NAME.fullmatch(name):
        raise AksError(
            400,
            "InvalidParameter",
            "The value of parameter agentPoolProfile.name is invalid. Please see https://aka.ms/aks-naming-rules for "
            "more details.",
        )
    for key in _REFUSED:
        if pool.get(key):
            raise AksError(400, "BadRequest", f"agentPoolProfiles.{name}.{key} is not part of this local Azure.")
    if str(pool.get("osType", "Linux")).lower() != "linux":
        raise AksError(400, "BadRequest", f"agentPoolProfiles.{name}.osType: amlite has Linux nodes only.")
    size = pool.get("vmSize") or (before or {}).get("vmSize")
    if not size or not _SIZE.fullmatch(size):
        raise AksError(
            400, "InvalidParameter", f"The value of parameter agentPoolProfile.vmSize is invalid: '{size or ''}'."
        )
    if before is not None:
        for key in _FIXED:
            if key in pool and key in before and str(pool[key]).lower() != str(before[key]).lower():
                raise not_allowed(f"agentPoolProfile.{key}")
    found = {
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "type": "VirtualMachineScaleSets",
        "mode": "User",
        "maxPods": 250,
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "enableAutoScaling": False,
        "scaleDownMode": "Delete",
        **(before or {}),
        **pool,
        "vmSize": size,
        "orchestratorVersion": version,
        "currentOrchestratorVersion": version,
        "powerState": {"code": "Running"},
        "provisioningState": "Succeeded",
    }
    return {**found, "count": _count(name, found)}


def _count(name: str, pool: Json) -> int:
    system = str(pool["mode"]).lower() == "system"
    count = int(pool.get("count") or 0) if "count" in pool else 1
    if not pool["enableAutoScaling"]:
        if pool.get("minCount") is not None or pool.get("maxCount") is not None:
            raise AksError(
                400,
                "InvalidParameter",
                f"agentPoolProfiles.{name}: minCount and maxCount need enableAutoScaling.",
            )
        least, most = count, count
    else:
        least, most = int(pool.get("minCount") or 0), int(pool.get("maxCount") or 0)
        count = max(least, min(count, most))
    if not (1 if system else 0) <= least <= most <= _MOST_NODES:
        raise AksError(
            400,
            "InvalidParameter",
            f"agentPoolProfiles.{name}: {least} to {most} nodes are not valid. A system pool has at least 1 node, and "
            f"a pool at most {_MOST_NODES}.",
        )
    return count


def _require_system(pools: list[Json]) -> None:
    if not any(str(pool["mode"]).lower() == "system" for pool in pools):
        raise AksError(400, "MustDefineAtLeastOneSystemPool", "Must define at least one system pool.")
