"""The vCPU limit and usage of each VM family, for a subscription in a region.

Usage counts the current nodes of clusters, compute instances, and the instances of managed online deployments.
For deployments, Azure reserves an extra 20 % for upgrades, except for a few large sizes
(`ceil(1.2 * instances) * vCPUs`; source: "Manage and increase quotas"). On Azure, limits differ between subscriptions.
In amlite, every family has the same limit until `amlite quota set` changes it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from amlite import SUBSCRIPTION_ID
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json
from amlite.services.machinelearning import endpoints, sizes
from amlite.services.machinelearning.references import COMPUTE_TYPE
from amlite.services.machinelearning.sizes import Size

TOTAL = "Total Cluster Dedicated Regional vCPUs"
_TYPE = "settings/quota"
_FAMILY_LIMIT = 350
_TOTAL_LIMIT = 1000
_EVERYWHERE = "*"
# For these sizes, Azure does not reserve instances for upgrades.
_NOT_RESERVED = frozenset(
    {
        "standard_nc24ads_a100_v4", "standard_nc48ads_a100_v4", "standard_nc96ads_a100_v4", "standard_nd96asr_v4",
        "standard_nd96amsr_a100_v4", "standard_nd40rs_v2",
    }
)  # fmt: skip


def set_limit(platform: Platform, name: str, cores: int, region: str | None) -> str:
    """Set the vCPU limit of a family (its name or one of its sizes) or the `total`, in one region or in all of them.

    Returns the family's name. Raises AzureError 400 for an unknown name.
    """
    family = TOTAL if name.lower() in ("total", TOTAL.lower()) else sizes.family_of(name)
    if family is None:
        known = ", ".join(sizes.FAMILIES)
        raise AzureError(
            400, "InvalidQuota", f"'{name}' is not a VM family or size; families are: {known}, and 'total'."
        )
    platform.store.put(f"{_TYPE}/{(region or _EVERYWHERE).lower()}/{family}", "settings", {"limit": cores})
    return family


def limit(platform: Platform, family: str, region: str) -> int:
    """Return the vCPU limit of a family (or `TOTAL`) in a region."""
    for place in (region.lower(), _EVERYWHERE):
        document = platform.store.get(f"{_TYPE}/{place}/{family}")
        if document is not None:
            return int(document.body["limit"])
    return _TOTAL_LIMIT if family == TOTAL else _FAMILY_LIMIT


def table(platform: Platform, region: str) -> list[Json]:
    """Return {family, used, limit} in vCPUs, for `TOTAL` and for each family."""
    used = cores_used(platform, region)
    taken = {TOTAL: used.total(), **{family: used[family] for family in sizes.FAMILIES}}
    return [{"family": name, "used": now, "limit": limit(platform, name, region)} for name, now in taken.items()]


def forget_limits(platform: Platform) -> int:
    """Remove every limit that was set, and return how many there were."""
    return platform.store.delete(_TYPE)


def reserved(size: Size, instances: int) -> int:
    """Return the vCPUs that a managed deployment with a number of instances uses from the quota."""
    if size.name.lower() in _NOT_RESERVED:
        return instances * size.cores
    return -(-instances * 12 // 10) * size.cores


def require(platform: Platform, resource_id: ResourceId, region: str, size: Size, instances: int) -> None:
    """Raise Azure's 400 unless the quota allows `instances` of a managed deployment, including its current ones."""
    used = cores_used(platform, region, without=str(resource_id))
    before = cores_used(platform, region)[size.family] - used[size.family]
    needed = reserved(size, instances)
    if needed <= before:
        return
    for family, taken in ((size.family, used[size.family]), (TOTAL, used.total())):
        most = limit(platform, family, region)
        if taken + needed > most:
            raise _out_of_quota(size, taken + before, most, needed - before)


def require_node(platform: Platform, region: str, size: Size, nodes: int) -> None:
    """Raise Azure's 400 unless the quota allows a new cluster its minimum number of nodes, and at least one node."""
    most = limit(platform, size.family, region)
    if max(1, nodes) * size.cores > most:
        raise AzureError(
            400,
            "BadRequest",
            f"The specified subscription has a {sizes.title(size.family)} vCPU quota of {most} and cannot accomodate "
            f"for at least {max(1, nodes)} requested managed compute node which maps to "
            f"{max(1, nodes) * size.cores} vCPUs.",
        )


def _out_of_quota(size: Size, used: int, most: int, needed: int) -> AzureError:
    reason = (
        f"Not enough quota available for {size.name} in SubscriptionId {SUBSCRIPTION_ID}. "
        f"Current usage/limit: {used}/{most}. Additional needed: {needed} "
        "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
    )
    problem = {
        "errors": {"VmSize": [reason]},
        "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
    }
    detail = {
        "code": "InferencingClientCreateDeploymentFailed",
        "message": f"InferencingClient HttpRequest error, error detail: {json.dumps(problem)}",
    }
    return AzureError(400, "BadRequest", "The request is invalid.", details=[detail])


def cores_used(platform: Platform, region: str, *, low: bool = False, without: str = "") -> Counter[str]:
    """Return the vCPUs in use by family: with `low` those of low priority, otherwise dedicated ones."""
    used: Counter[str] = Counter()
    for compute in computes(platform, region):
        inner = compute["properties"].get("properties") or {}
        size = sizes.find(str(inner.get("vmSize")))
        if size is not None and (str(inner.get("vmPriority", "Dedicated")).lower() == "lowpriority") is low:
            is_cluster = compute["properties"]["computeType"].lower() == "amlcompute"
            used[size.family] += size.cores * (int(inner.get("currentNodeCount") or 0) if is_cluster else 1)
    if low:
        return used
    for document in platform.store.of_type(f"{endpoints.ONLINE_TYPE}/deployments"):
        body = document.body
        managed = body["properties"]["endpointComputeType"].lower() == "managed"
        size = sizes.find(str(body["properties"].get("instanceType")))
        if managed and size and body["location"] == region and document.id.lower() != without.lower():
            used[size.family] += reserved(size, body["sku"]["capacity"])
    return used


def computes(platform: Platform, region: str) -> Iterator[Json]:
    """Yield the clusters and compute instances of a region."""
    for document in platform.store.of_type(COMPUTE_TYPE):
        kind = str(document.body["properties"].get("computeType")).lower()
        if kind in ("amlcompute", "computeinstance") and document.body.get("location") == region:
            yield document.body
