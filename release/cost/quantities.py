"""How many units of which meters a resource uses in a month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from release.cost.assumptions import HOURS, Assumptions
from release.planned import PlannedResource

_DAYS = HOURS / 24
_DURATION = TypeAdapter(timedelta)
_NATIVE = "azure-native:"
_FIREWALL_RULE = "FQDN"


@dataclass(frozen=True)
class Usage:
    """What a resource uses: units by meter, and a description."""

    units: Mapping[str, float]
    detail: str


Inputs = Mapping[str, Any]


def usage(resource: PlannedResource, inputs: Inputs, assumed: Assumptions) -> Usage | None:
    """Return what a resource uses with some inputs, or None if nothing is billed or counted."""
    kind = resource.type.removeprefix(_NATIVE).removeprefix("pulumi-python:dynamic/")
    count = _COUNTED.get(kind)
    return count(inputs, assumed) if count else None


def _compute(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    """Attached computes are billed elsewhere."""
    size = _at(inputs, "properties", "properties").get("vmSize")
    kinds = {"AmlCompute": _cluster, "ComputeInstance": _instance}
    count = kinds.get(str(_at(inputs, "properties").get("computeType")))
    return count(size, _at(inputs, "properties", "properties"), assumed) if count and isinstance(size, str) else None


def _instance(size: str, properties: Inputs, assumed: Assumptions) -> Usage:
    """A machine that stops by itself runs while its user works. Any other runs always."""
    schedules = _at(properties, "schedules").get("computeStartStop")
    stops = isinstance(schedules, list) and any(_at(each).get("action") == "Stop" for each in schedules)
    if stops or properties.get("idleTimeBeforeShutdown"):
        hours = assumed.instance_hours
        return Usage({f"vm/{size}": hours}, f"{size}, an instance that runs {hours:g} hours")
    return Usage({f"vm/{size}": HOURS}, f"{size}, an instance that never stops by itself")


def _cluster(size: str, properties: Inputs, assumed: Assumptions) -> Usage:
    scale = _at(properties, "scaleSettings")
    least, most = _number(scale.get("minNodeCount"), 0), _number(scale.get("maxNodeCount"), 0)
    idle = _hours(scale.get("nodeIdleTimeBeforeScaleDown")) * assumed.jobs
    extra = max(most - least, 0) * min(assumed.active_hours + idle, HOURS)
    low = properties.get("vmPriority") == "LowPriority"
    detail = f"{size}{', low priority' if low else ''}, {least:g} to {most:g} nodes"
    return Usage({f"{'vm-low-priority' if low else 'vm'}/{size}": least * HOURS + extra}, detail)


def _endpoint(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    definition = _at(inputs, "deployment", "definition")
    size = definition.get("instance_type")
    if not isinstance(size, str):
        return None
    count = _number(definition.get("instance_count"), 1)
    rollout = _at(inputs, "rollout")
    steps = rollout.get("steps")
    baking = _number(rollout.get("bake_seconds"), 0) * (len(steps) if isinstance(steps, list) else 1)
    surge = assumed.rollouts * (assumed.rollout_minutes / 60 + baking / 3600)
    detail = f"{size}, {count:g} {'instance' if count == 1 else 'instances'}, {count * surge:.1f} hours of rollouts"
    return Usage({f"vm/{size}": count * (HOURS + surge)}, detail)


def _container_registry(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    del assumed
    sku = _at(inputs, "sku").get("name")
    return Usage({f"registry/{sku}": _DAYS}, f"{sku}") if isinstance(sku, str) else None


def _shared_registry(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    """An Azure Machine Learning registry has a storage account and a Premium container registry for each region."""
    regions = inputs.get("regionDetails")
    count = len(regions) if isinstance(regions, list) else 1
    detail = f"storage and a Premium container registry in {count} {'region' if count == 1 else 'regions'}"
    return Usage({"registry/Premium": count * _DAYS, "storage/LRS": count * assumed.storage_gb}, detail)


def _storage(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    sku = _at(inputs, "sku").get("name")
    if not isinstance(sku, str):
        return None
    return Usage({f"storage/{sku.rpartition('_')[2]}": assumed.storage_gb}, f"{sku}, {assumed.storage_gb:g} GB")


def _vault(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    del inputs
    return Usage({"vault": assumed.vault_operations / 10_000}, f"{assumed.vault_operations:g} operations")


def _logs(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    del inputs
    return Usage({"logs": assumed.log_gb}, f"{assumed.log_gb:g} GB ingested")


def _workspace(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    """The workspace itself is free. Its managed network is not."""
    if _at(inputs, "managedNetwork").get("isolationMode") in (None, "Disabled"):
        return None
    count = assumed.own_private_endpoints
    return Usage({"private-endpoint": count * HOURS}, f"managed network, {count:g} private endpoints of its own")


def _network_rule(inputs: Inputs, assumed: Assumptions) -> Usage | None:
    del assumed
    if _at(inputs, "properties").get("type") != "PrivateEndpoint":
        return None
    return Usage({"private-endpoint": HOURS}, "private endpoint")


_COUNTED: Mapping[str, Callable[[Inputs, Assumptions], Usage | None]] = {
    "machinelearningservices:Compute": _compute,
    "machinelearningservices:ManagedNetworkSettingsRule": _network_rule,
    "machinelearningservices:Registry": _shared_registry,
    "machinelearningservices:Workspace": _workspace,
    "azureml:OnlineEndpoint": _endpoint,
    "containerregistry:Registry": _container_registry,
    "storage:StorageAccount": _storage,
    "keyvault:Vault": _vault,
    "operationalinsights:Workspace": _logs,
}


def firewall(resources: list[tuple[PlannedResource, Inputs]]) -> Iterator[tuple[PlannedResource, Usage]]:
    """Yield the firewall of each workspace, if a rule of the managed network names a host."""
    rules = (each for resource, each in resources if resource.type.endswith(":ManagedNetworkSettingsRule"))
    if not any(_at(each, "properties").get("type") == _FIREWALL_RULE for each in rules):
        return
    for resource, inputs in resources:
        if resource.type == f"{_NATIVE}machinelearningservices:Workspace":
            sku = _at(inputs, "managedNetwork").get("firewallSku") or "Standard"
            yield resource, Usage({f"firewall/{sku}": HOURS}, f"{sku} firewall")


def _at(inputs: Any, *keys: str) -> Mapping[str, Any]:
    """Return the map at some keys, or an empty one."""
    for key in keys:
        inputs = inputs.get(key) if isinstance(inputs, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _number(value: Any, default: float) -> float:
    """Return a number. A value that is known after the update only has the default."""
    return float(value) if isinstance(value, int | float) else default


def _hours(duration: Any) -> float:
    try:
        return _DURATION.validate_python(duration).total_seconds() / 3600
    except ValidationError:
        return 0
