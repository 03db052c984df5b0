"""Rules about compute that is too large, or that costs money without working."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase

from pydantic import TypeAdapter

from policy.environments import Limits
from policy.rule import Scene, rule
from policy.subject import Resource

_CLUSTER = "azure-native:machinelearningservices:Compute"
_PROPERTIES = "properties.properties"
_SCALE = f"{_PROPERTIES}.scaleSettings"
_DURATION = TypeAdapter(timedelta)


@rule(
    "idle-nodes", "mandatory", _CLUSTER,
    reason="A cluster that does not scale to zero incurs costs even without jobs.",
    fix="set minNodes to 0 in the stack's compute",
)  # fmt: skip
def idle_nodes(resource: Resource, scene: Scene) -> Iterator[str]:
    """Clusters scale to zero."""
    del scene
    nodes = resource.get(f"{_SCALE}.minNodeCount")
    if nodes:
        yield f"minNodeCount is {nodes:g}"


@rule(
    "idle-time", "advisory", _CLUSTER,
    reason="An idle node costs as much as a busy one.",
    fix="set a shorter idleTime in the stack's compute, or a higher limits.maxIdleTime in policy/environments.yml",
)  # fmt: skip
def idle_time(resource: Resource, scene: Scene) -> Iterator[str]:
    """Idle nodes are removed after at most `limits.maxIdleTime`."""
    written = resource.get(f"{_SCALE}.nodeIdleTimeBeforeScaleDown")
    limit = scene.environment.limits.max_idle_time
    if written is not None and _DURATION.validate_python(written) > limit:
        minutes = limit.total_seconds() / 60
        yield f"nodeIdleTimeBeforeScaleDown is {written}, and the limit is {minutes:g} minutes"


@rule(
    "cluster-size", "mandatory", _CLUSTER,
    reason="A programming error can start as many nodes as the cluster allows.",
    fix="set a smaller maxNodes in the stack's compute, or a higher limits.maxNodes in policy/environments.yml",
)  # fmt: skip
def cluster_size(resource: Resource, scene: Scene) -> Iterator[str]:
    """A cluster has at most `limits.maxNodes` nodes."""
    nodes, limit = resource.get(f"{_SCALE}.maxNodeCount"), scene.environment.limits.max_nodes
    if nodes is not None and nodes > limit:
        yield f"maxNodeCount is {nodes:g}, and the limit is {limit}"


@rule(
    "machine-size", "mandatory", _CLUSTER, "azureml:OnlineEndpoint",
    reason="Machines with many cores or a GPU are many times as expensive.",
    fix="use a size that limits.sizes and limits.gpu in policy/environments.yml allow, or change them",
)  # fmt: skip
def machine_size(resource: Resource, scene: Scene) -> Iterator[str]:
    """Clusters and deployments use sizes that `limits.sizes` and `limits.gpu` allow."""
    path = f"{_PROPERTIES}.vmSize" if resource.type == _CLUSTER else "deployment.definition.instance_type"
    size = resource.get(path)
    if isinstance(size, str) and not _allowed(size, scene.environment.limits):
        yield f"{path.rpartition('.')[2]} is {size}"


@rule(
    "deployment-size", "mandatory", "azureml:OnlineEndpoint",
    reason="The instances of an endpoint run all the time, and a rollout doubles their number.",
    fix="set a smaller instance_count, or a higher limits.maxInstances in policy/environments.yml",
)  # fmt: skip
def deployment_size(resource: Resource, scene: Scene) -> Iterator[str]:
    """A deployment has at most `limits.maxInstances` instances."""
    count, limit = resource.get("deployment.definition.instance_count"), scene.environment.limits.max_instances
    if isinstance(count, int | float) and count > limit:
        yield f"instance_count is {count:g}, and the limit is {limit}"


@rule(
    "evictable-nodes", "advisory", _CLUSTER,
    reason="Azure can evict low-priority nodes at any time, and their jobs start again.",
    fix="set priority to Dedicated in the stack's compute",
    elsewhere="off",
)  # fmt: skip
def evictable_nodes(resource: Resource, scene: Scene) -> Iterator[str]:
    """Production clusters use dedicated nodes."""
    del scene
    if resource.get(f"{_PROPERTIES}.vmPriority") == "LowPriority":
        yield "vmPriority is LowPriority"


def _allowed(size: str, limits: Limits) -> bool:
    patterns = [*limits.sizes, *(["Standard_N*"] if limits.gpu else [])]
    return any(fnmatchcase(size.lower(), pattern.lower()) for pattern in patterns)
