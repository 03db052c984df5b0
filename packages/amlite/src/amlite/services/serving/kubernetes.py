"""The specifics of endpoints on an attached Kubernetes cluster; their model servers are the same as for managed ones.

Microsoft's "Troubleshoot online endpoints" names the errors (`InvalidDeploymentSpec`, …). The scoring address is that
of a managed endpoint; on Azure it is one of the cluster.
"""

from __future__ import annotations

import re

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json
from amlite.services.kubernetesconfiguration import extensions
from amlite.services.machinelearning import references

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_FACTORS = {
    "m": 1e-3, "k": 1e3, "Ki": 2**10, "M": 1e6, "Mi": 2**20, "G": 1e9, "Gi": 2**30, "T": 1e12, "Ti": 2**40,
}  # fmt: skip


def compute_of(platform: Platform, workspace_id: str, reference: str) -> Json:
    """Return the attached cluster that an endpoint's `compute` names (ARM id or name); raises AzureError 400."""
    try:
        document = references.compute(platform, workspace_id, reference)
    except AzureError as error:
        name = reference.removeprefix("azureml:").rpartition("/")[2]
        raise AzureError(400, "BadArgument", f"properties.compute: there is no compute '{name}'.") from error
    kind = document.body["properties"]["computeType"]
    if kind.lower() != "kubernetes":
        raise AzureError(
            400,
            "BadArgument",
            f"properties.compute: '{document.body['name']}' is of type {kind}; an endpoint is put on an attached "
            "Kubernetes cluster, or (without compute) on managed instances.",
        )
    extension = extensions.workloads(platform, document.body)
    if extension is not None and not extension.inference:
        raise AzureError(
            400,
            "BadArgument",
            f"properties.compute: the machine learning extension of '{document.body['name']}' serves no models; set "
            "its enableInference to True.",
        )
    return document.body


def check_deployment(platform: Platform, endpoint: Json, resource_id: ResourceId, properties: Json) -> Json:
    """Return a Kubernetes deployment's properties with the service's defaults; raises AzureError 400."""
    compute = compute_of(platform, str(resource_id.parent.parent) if resource_id.parent else "", endpoint["compute"])
    cluster = compute["properties"].get("properties") or {}
    types = cluster.get("instanceTypes") or {}
    name = properties.get("instanceType") or cluster.get("defaultInstanceType")
    if name not in types:
        raise AzureError(
            400,
            "InvalidDeploymentSpec",
            f"properties.instanceType: the cluster '{compute['name']}' has no instance type '{name}'; "
            f"it has: {', '.join(sorted(types))}.",
        )
    required = properties.get("containerResourceRequirements") or {}
    requests = required.get("containerResourceRequests") or {}
    limits = required.get("containerResourceLimits") or {}
    for what, value in {**limits, **requests}.items():
        quantity(value, what)
    for what in requests.keys() & limits.keys():
        if quantity(requests[what], what) > quantity(limits[what], what):
            raise AzureError(
                400,
                "InvalidDeploymentSpec",
                f"containerResourceRequirements: requests.{what} ({requests[what]}) is more than limits.{what} "
                f"({limits[what]}).",
            )
    scale = _scale(properties.get("scaleSettings") or {"scaleType": "Default"})
    return {**properties, "endpointComputeType": "Kubernetes", "instanceType": name, "scaleSettings": scale}


def quantity(text: str, name: str) -> float:
    """Read a Kubernetes quantity such as `500m` or `1.5Gi`; raises AzureError 400."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise AzureError(
            400,
            "InvalidDeploymentSpec",
            f"containerResourceRequirements: {name}: '{text}' is not a valid quantity; use for example 500m or 1.5Gi.",
        )
    return float(found[1]) * _FACTORS.get(found[2] or "", 1.0)


def _scale(scale: Json) -> Json:
    if scale["scaleType"].lower() == "default":
        return {**scale, "scaleType": "Default"}
    least, most = int(scale.get("minInstances") or 1), int(scale.get("maxInstances") or 1)
    target = int(scale.get("targetUtilizationPercentage") or 70)
    if not 0 <= least <= most:
        raise AzureError(
            400,
            "BadArgument",
            f"properties.scaleSettings: minInstances ({least}) must be between 0 and maxInstances ({most}).",
        )
    if not 1 <= target <= 100:
        raise AzureError(
            400, "BadArgument", f"properties.scaleSettings.targetUtilizationPercentage: {target} is not 1 to 100."
        )
    filled = {"minInstances": least, "maxInstances": most, "targetUtilizationPercentage": target}
    return {"pollingInterval": "PT1S", **scale, **filled, "scaleType": "TargetUtilization"}
