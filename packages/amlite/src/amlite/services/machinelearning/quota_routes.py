"""The HTTP surface of VM sizes, vCPU limits and vCPU usage: Azure's, and that of `amlite quota`."""

from __future__ import annotations

from aiohttp import web

from amlite import SUBSCRIPTION_ID
from amlite.control.table import ACTION, control_routes
from amlite.core import wire
from amlite.core.errors import AzureError
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.core.wire import Json
from amlite.services.machinelearning import quota, sizes
from amlite.services.machinelearning.addresses import LOCATION
from amlite.services.machinelearning.references import PROVIDER

routes = Routes(ARM_HOST)
own_routes = control_routes()
_TOTAL_LOW = "Total Cluster LowPriority Regional vCPUs"
_CLUSTERS_LIMIT = 200


@routes.get(f"{LOCATION}/usages")
async def list_usages(call: Call) -> web.Response:
    """List usages with their limits: clusters, total vCPUs, and vCPUs by family."""
    platform, region = call.platform, _region(call)
    dedicated, low = quota.cores_used(platform, region), quota.cores_used(platform, region, low=True)
    clusters = sum(1 for _ in quota.computes(platform, region))
    rows = [
        _usage("totalCores", "Clusters", clusters, _CLUSTERS_LIMIT),
        _usage("dedicatedCores", quota.TOTAL, dedicated.total(), quota.limit(platform, quota.TOTAL, region)),
    ]
    for family in sizes.FAMILIES:
        name = f"{sizes.title(family)} Cluster Dedicated vCPUs"
        rows.append(_usage("vmFamily", name, dedicated[family], quota.limit(platform, family, region)))
    rows.append(_usage("lowPriorityCores", _TOTAL_LOW, low.total(), quota.limit(platform, quota.TOTAL, region)))
    rows += [
        _usage("vmFamily", f"{sizes.title(family)} Cluster LowPriority vCPUs", low[family], -1)
        for family in sizes.FAMILIES
    ]
    return reply({"value": rows})


@routes.get(f"{LOCATION}/quotas")
async def list_quotas(call: Call) -> web.Response:
    """List the subscription's limits."""
    region = _region(call)
    named = {
        quota.TOTAL: quota.TOTAL,
        **{family: f"{sizes.title(family)} Cluster Dedicated vCPUs" for family in sizes.FAMILIES},
    }
    rows = [_usage("vmFamily", name, 0, quota.limit(call.platform, family, region)) for family, name in named.items()]
    for row in rows:
        row |= {"id": row["id"].replace("/usages", "/quotas"), "type": row["type"].replace("/usages", "/quotas")}
        del row["currentValue"]
    return reply({"value": rows})


@routes.get(f"{LOCATION}/vmSizes")
async def list_sizes(call: Call) -> web.Response:
    """List the VM sizes of a region. In amlite, all regions have the same sizes."""
    rows = [
        {
            "name": size.name,
            "family": size.family,
            "vCPUs": size.cores,
            "gpus": size.gpus,
            "osVhdSizeMB": 1047552,
            "maxResourceVolumeMB": int(size.memory * 2048),
            "memoryGB": size.memory,
            "lowPriorityCapable": True,
            "premiumIO": "s" in size.name.rpartition("Standard_")[2].partition("_")[0].lower(),
            "supportedComputeTypes": list(size.compute_types),
        }
        for size in sizes.SIZES
    ]
    return reply({"value": rows})


@own_routes.get("/quota", action=ACTION)
async def list_limits(call: Call) -> web.Response:
    """Return usages and limits in `?region=`."""
    return reply({"value": quota.table(call.platform, call.query.get("region", "").lower())})


@own_routes.post("/quota", action=ACTION)
async def set_limit(call: Call) -> web.Response:
    """Set the vCPUs of a VM family: `{"family": …, "cores": N, "region": …}`."""
    body = await call.json({"family": "str", "cores": "int", "region": "str"})
    cores = body.get("cores")
    if cores is None or cores < 0:
        raise AzureError(400, "InvalidQuota", "'cores' must be a whole number that is not negative.")
    family = quota.set_limit(call.platform, str(body.get("family")), cores, body.get("region"))
    return reply({"family": family, "cores": cores, "region": body.get("region")})


@own_routes.delete("/quota", action=ACTION)
async def forget_limits(call: Call) -> web.Response:
    """Remove every limit that was set."""
    return reply({"cleared": quota.forget_limits(call.platform)})


def _region(call: Call) -> str:
    return wire.region(call.parameters["location"])


def _usage(kind: str, name: str, used: int, most: int) -> Json:
    base = f"/subscriptions/{SUBSCRIPTION_ID}/usages"
    return {
        "id": f"{base}/{name.replace(' ', '_')}" if kind == "vmFamily" else base,
        "type": f"{PROVIDER}/{kind}/usages",
        "unit": "Count",
        "currentValue": used,
        "limit": most,
        "name": {"value": name, "localizedValue": name},
    }
