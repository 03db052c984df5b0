"""Rules about compute that is too large, or that costs money without working."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from pydantic import TypeAdapter, ValidationError

from policy.environments import Limits
from policy.rule import Scene, rule
from policy.subject import Resource, as_number, readable

_CLUSTER = "azure-native:machinelearningservices:Compute"
_PROPERTIES = "properties.properties"
_SCALE = f"{_PROPERTIES}.scaleSettings"
_INSTANCES = (
    "deployment.definition.instance_count",
    "deployment.definition.scale_settings.max_instances",
    "autoscale.max_instances",
)
_DURATION = TypeAdapter(timedelta)
# What can run on Azure's own machines, without a cluster (serverless compute).
_WORK = ("azureml:Component", "azureml:PipelineJob", "azureml:Schedule")


@rule(
    "idle-nodes", "mandatory", _CLUSTER,
    reason="A cluster that does not scale to zero incurs costs even without jobs.",
    fix="set minNodes to 0 in the stack's compute",
)  # fmt: skip
def idle_nodes(resource: Resource, scene: Scene) -> Iterator[str]:
    """Clusters scale to zero."""
    del scene
    nodes = resource.number(f"{_SCALE}.minNodeCount")
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
    try:
        is_long = written is not None and _DURATION.validate_python(written) > limit
    except ValidationError:
        yield f"nodeIdleTimeBeforeScaleDown is {written}, which is not a duration such as PT30M"
        return
    if is_long:
        minutes = limit.total_seconds() / 60
        yield f"nodeIdleTimeBeforeScaleDown is {written}, and the limit is {minutes:g} minutes"


@rule(
    "cluster-size", "mandatory", _CLUSTER, *_WORK,
    reason="A programming error can start as many nodes as the cluster allows.",
    fix="set a smaller maxNodes in the stack's compute, or a higher limits.maxNodes in policy/environments.yml",
)  # fmt: skip
def cluster_size(resource: Resource, scene: Scene) -> Iterator[str]:
    """A cluster, and a step of a job, has at most `limits.maxNodes` nodes."""
    limit = scene.environment.limits.max_nodes
    if resource.type == _CLUSTER:
        nodes = resource.number(f"{_SCALE}.maxNodeCount")
        if nodes is not None and nodes > limit:
            yield f"maxNodeCount is {nodes:g}, and the limit is {limit}"
        return
    for path, value in _of_work(resource, "instance_count"):
        count = as_number(value)
        if count is not None and count > limit:
            yield f"{path} is {count:g}, and the limit is {limit}"


@rule(
    "machine-size", "mandatory", _CLUSTER, "azureml:OnlineEndpoint", *_WORK,
    reason="Machines with many cores or a GPU are many times as expensive.",
    fix="use a size that limits.sizes and limits.gpu in policy/environments.yml allow, or change them",
)  # fmt: skip
def machine_size(resource: Resource, scene: Scene) -> Iterator[str]:
    """Clusters, deployments and jobs use sizes that `limits.sizes` and `limits.gpu` allow."""
    if resource.type in _WORK:
        for place, value in _of_work(resource, "instance_type"):
            # A Kubernetes cluster has its own names for its types of instances.
            is_azures = str(value).lower().startswith("standard_")
            if is_azures and not _allowed(str(value), scene.environment.limits):
                yield f"{place} is {value}"
        return
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
    """A deployment has at most `limits.maxInstances` instances, with autoscale too."""
    limit = scene.environment.limits.max_instances
    for path in _INSTANCES:
        count = resource.number(path)
        if count is not None and count > limit:
            yield f"{path.rpartition('.')[2]} is {count:g}, and the limit is {limit}"


@rule(
    "evictable-nodes", "advisory", _CLUSTER,
    reason="Azure can evict low-priority nodes at any time, and their jobs start again.",
    fix="set priority to Dedicated in the stack's compute",
    elsewhere="off",
)  # fmt: skip
def evictable_nodes(resource: Resource, scene: Scene) -> Iterator[str]:
    """Production clusters use dedicated nodes."""
    del scene
    if resource.word(f"{_PROPERTIES}.vmPriority") == "lowpriority":
        yield "vmPriority is LowPriority"


def _of_work(resource: Resource, key: str) -> Iterator[tuple[str, Any]]:
    """Yield each value of a key in the definition of a job, with its path."""
    yield from _values(resource.get("definition") or {}, key, "")


def _values(value: Any, key: str, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            here = f"{path}.{name}".lstrip(".")
            if name == key:
                yield here, readable(each, here)
            yield from _values(each, key, here)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _values(each, key, f"{path}[{index}]")


def _allowed(size: str, limits: Limits) -> bool:
    patterns = [*limits.sizes, *(["Standard_N*"] if limits.gpu else [])]
    return any(fnmatchcase(size.lower(), pattern.lower()) for pattern in patterns)
