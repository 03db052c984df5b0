"""Checks that the region offers the VM sizes of the stack, and that the subscription has enough vCPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.settings.compute import ComputeSettings, VmPriority
from pulumi_azureml.operations import family_key, reserved_instances
from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject

_API_VERSION = "2024-04-01"
_TOTAL = {
    VmPriority.DEDICATED: "Total Cluster Dedicated Regional vCPUs",
    VmPriority.LOW_PRIORITY: "Total Cluster LowPriority Regional vCPUs",
}
_FAMILY = {VmPriority.DEDICATED: "Cluster Dedicated vCPUs", VmPriority.LOW_PRIORITY: "Cluster LowPriority vCPUs"}
_MORE_QUOTA = "ask for more vCPUs (ml.azure.com, Manage, Quota)"


@dataclass(frozen=True)
class Region:
    """The offer of Azure Machine Learning in a region: VM sizes by lower-case name, and usages by family key."""

    name: str
    sizes: Mapping[str, dict[str, Any]]
    usages: Mapping[str, dict[str, Any]]

    def left(self, size: str, priority: VmPriority) -> tuple[int, str]:
        """Return the vCPUs that are left for a size, and the name of the limit: the scarcer of family and total."""
        rows = [
            self.usages.get(family_key(f"{self.sizes[size.lower()]['family']} {_FAMILY[priority]}")),
            self.usages.get(family_key(_TOTAL[priority])),
        ]
        # Azure returns -1 for no limit.
        limited = [row for row in rows if row is not None and row["limit"] >= 0]
        if not limited:
            return 1 << 30, ""
        scarce = min(limited, key=lambda row: int(row["limit"]) - int(row["currentValue"]))
        # A limit that was lowered can be less than what is in use.
        return max(0, int(scarce["limit"]) - int(scarce["currentValue"])), str(scarce["name"]["value"])

    def cores(self, size: str) -> int:
        """Return the vCPUs of a size."""
        return int(self.sizes[size.lower()]["vCPUs"])


def check(subject: Subject) -> Iterator[Finding]:
    """Compare the computes and the planned deployments with the region's sizes and the subscription's quota."""
    location = subject.configuration.cloud.location
    place = f"{subject.subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
    sizes = subject.arm.rows(f"{place}/vmSizes", _API_VERSION)
    usages = subject.arm.rows(f"{place}/usages", _API_VERSION)
    region = Region(
        location,
        {str(size["name"]).lower(): size for size in sizes},
        {family_key(str(usage["name"]["value"])): usage for usage in usages},
    )
    found = [*_clusters(subject, region), *_instances(subject, region), *_deployments(subject, region)]
    yield from found
    if not found:
        yield ok(f"{location} has the VM sizes, and the subscription the vCPUs")


def _clusters(subject: Subject, region: Region) -> Iterator[Finding]:
    for number, cluster in enumerate(subject.settings.compute):
        key = f"azureml-platform:compute[{number}]"
        size = region.sizes.get(cluster.vm_size.lower())
        if size is None:
            yield _no_size(f"cluster {cluster.name}", cluster.vm_size, region, _set(subject, f"{key}.vmSize", "SIZE"))
        elif cluster.priority is VmPriority.LOW_PRIORITY and not size.get("lowPriorityCapable", True):
            yield problem(
                f"cluster {cluster.name}: {cluster.vm_size} has no low-priority nodes",
                "Azure refuses the cluster.",
                _set(subject, f"{key}.priority", VmPriority.DEDICATED),
            )
        elif not subject.deployed:
            yield from _cluster(subject, region, cluster, key)


def _cluster(subject: Subject, region: Region, cluster: ComputeSettings, key: str) -> Iterator[Finding]:
    cores, (left, name) = region.cores(cluster.vm_size), region.left(cluster.vm_size, cluster.priority)
    least, most = max(1, cluster.min_nodes), cluster.max_nodes
    if least * cores > left:
        yield problem(
            f"cluster {cluster.name}: {least} x {cluster.vm_size} take {least * cores} vCPUs, and {left} are left",
            f"Azure refuses the cluster. The quota is '{name}' in {region.name}.",
            f"{_MORE_QUOTA}, or {_set(subject, f'{key}.vmSize', 'SIZE')}",
        )
    elif most * cores > left:
        yield warning(
            f"cluster {cluster.name}: {most} x {cluster.vm_size} take {most * cores} vCPUs, and {left} are left",
            f"It grows to {left // cores} nodes. Jobs that need more wait or fail. The quota is '{name}' in "
            f"{region.name}.",
            f"{_MORE_QUOTA}, or {_set(subject, f'{key}.maxNodes', str(left // cores))}",
        )


def _instances(subject: Subject, region: Region) -> Iterator[Finding]:
    """Check compute instances. They share the quota of dedicated nodes, and keep their vCPUs when they are stopped."""
    for number, instance in enumerate(subject.settings.instances):
        what, size = f"compute instance {instance.name}", instance.vm_size
        smaller = _set(subject, f"azureml-platform:instances[{number}].vmSize", "SIZE")
        if size.lower() not in region.sizes:
            yield _no_size(what, size, region, smaller)
            continue
        cores, (left, name) = region.cores(size), region.left(size, VmPriority.DEDICATED)
        if cores > left and not subject.deployed:
            yield problem(
                f"{what}: {size} takes {cores} vCPUs, and {left} are left",
                f"Azure refuses the instance. The quota is '{name}' in {region.name}.",
                f"{_MORE_QUOTA}, or {smaller}",
            )


def _deployments(subject: Subject, region: Region) -> Iterator[Finding]:
    """Check managed deployments. They share the quota of dedicated nodes, and Azure reserves more for upgrades."""
    needed: Counter[str] = Counter()
    paths: dict[str, list[str]] = {}
    for asset in subject.catalogue.of("online_deployment"):
        size = asset.definition.get("instance_type")
        if size is None:
            continue  # on attached Kubernetes
        if size.lower() not in region.sizes:
            yield _no_size(asset.path, size, region, f"set another `instance_type` in {asset.path}")
            continue
        needed[size] += reserved_instances(size, int(asset.definition.get("instance_count") or 1)) * region.cores(size)
        paths.setdefault(size, []).append(asset.path)
    for size, cores in needed.items():
        left, name = region.left(size, VmPriority.DEDICATED)
        files = ", ".join(paths[size])
        if subject.deployed or cores * 2 <= left:
            continue
        if cores > left:
            yield problem(
                f"{files}: {size} takes {cores} vCPUs with Azure's reserve for upgrades, and {left} are left",
                f"The deployment would fail with OutOfQuota. The quota is '{name}' in {region.name}.",
                f"{_MORE_QUOTA}, or set a smaller `instance_type` or `instance_count`",
            )
        else:
            yield warning(
                f"{files}: {size} takes {cores} vCPUs twice during a rollout, and {left} are left",
                f"A rollout runs the old and the new deployment together. The quota is '{name}' in {region.name}.",
                f"{_MORE_QUOTA}, or set a smaller `instance_type` or `instance_count`",
            )


def _no_size(what: str, size: str, region: Region, fix: str) -> Finding:
    return problem(
        f"{what}: {region.name} does not have {size}",
        "Azure Machine Learning offers it in other regions, or not at all.",
        f"{fix}; `az ml compute list-sizes -l {region.name}` lists the sizes",
    )


def _set(subject: Subject, key: str, value: str) -> str:
    return f"pulumi config set --path '{key}' {value} -s {subject.stack}"
