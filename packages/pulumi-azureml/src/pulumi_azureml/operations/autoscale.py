"""Autoscale of a managed deployment: an Azure Monitor autoscale setting that belongs to exactly one deployment.

A deployment's YAML has no key for it. The setting refers to the deployment by its id, so each new deployment needs its
own. A tag on the deployment marks that it has a setting. The tag is written before the setting and removed after it, so
that no setting is left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_azureml.operations.arm import send
from pulumi_azureml.operations.ownership import PREFIX

TAG = f"{PREFIX}autoscale"
_API_VERSION = "2022-10-01"
_CPU, _LATENCY = "CpuUtilizationPercentage", "RequestLatency_P95"
_LIMITS = {_CPU: "cpu_percent", _LATENCY: "latency_ms"}
_WINDOW, _COOLDOWN = "PT5M", "PT5M"


def apply(rules: Mapping[str, Any], endpoint_id: str, deployment: str, location: str) -> None:
    """Create or update a deployment's setting.

    Args:
        rules: `min_instances`, `max_instances`, and the limits `cpu_percent`, `latency_ms` or both.
        endpoint_id: the endpoint's ARM resource id.
        deployment: the deployment's name.
        location: the Azure region of the endpoint.

    Raises:
        azure.core.exceptions.AzureError: Azure refuses the setting.
    """
    content = body(rules, f"{endpoint_id}/deployments/{deployment}", location)
    send("PUT", setting_id(endpoint_id, deployment), _API_VERSION, content)


def remove(endpoint_id: str, deployment: str) -> None:
    """Delete a deployment's setting, if there is one."""
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    try:
        send("DELETE", setting_id(endpoint_id, deployment), _API_VERSION)
    except ResourceNotFoundError:
        return


def observe(endpoint_id: str, deployment: str) -> dict[str, Any] | None:
    """Return a deployment's autoscale rules. Return None if it has none."""
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    try:
        found = send("GET", setting_id(endpoint_id, deployment), _API_VERSION)
    except ResourceNotFoundError:
        return None
    properties = found["properties"]
    if not properties.get("enabled") or not properties.get("profiles"):
        return None
    return _rules(properties["profiles"][0])


def setting_id(endpoint_id: str, deployment: str) -> str:
    """Return the id of a deployment's setting, in the endpoint's resource group. Its name contains the deployment's."""
    parts = endpoint_id.strip("/").split("/")
    group, workspace, endpoint = "/".join(parts[:4]), parts[7], parts[-1]
    return f"/{group}/providers/Microsoft.Insights/autoscaleSettings/{workspace}-{endpoint}-{deployment}"


def body(rules: Mapping[str, Any], deployment_id: str, location: str) -> dict[str, Any]:
    """Return the setting in the form of Azure Resource Manager.

    It adds an instance if any limit is exceeded for five minutes, and removes one if all values are below half of their
    limits.
    """
    limits = [(metric, rules[key]) for metric, key in _LIMITS.items() if rules.get(key) is not None]
    minimum, maximum = int(rules["min_instances"]), int(rules["max_instances"])
    profile = {
        "name": "default",
        "capacity": {"minimum": str(minimum), "maximum": str(maximum), "default": str(minimum)},
        "rules": [rule for metric, limit in limits for rule in _pair(deployment_id, metric, float(limit))],
    }
    name = setting_id(deployment_id.rpartition("/deployments/")[0], deployment_id.rpartition("/")[2]).rpartition("/")[2]
    return {
        "location": location,
        "properties": {
            "name": name,
            "enabled": True,
            "targetResourceUri": deployment_id,
            "targetResourceLocation": location,
            "profiles": [profile],
        },
    }


def _pair(deployment_id: str, metric: str, limit: float) -> Iterator[dict[str, Any]]:
    for direction, operator, threshold in (
        ("Increase", "GreaterThan", limit),
        ("Decrease", "LessThan", limit / 2),
    ):
        yield {
            "metricTrigger": {
                "metricName": metric,
                "metricResourceUri": deployment_id,
                "timeGrain": "PT1M",
                "statistic": "Average",
                "timeWindow": _WINDOW,
                "timeAggregation": "Average",
                "operator": operator,
                "threshold": threshold,
            },
            "scaleAction": {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": _COOLDOWN},
        }


def _rules(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return a profile in the form of the rules."""
    capacity = profile["capacity"]
    found: dict[str, Any] = {
        "min_instances": int(capacity["minimum"]),
        "max_instances": int(capacity["maximum"]),
    }
    for rule in profile.get("rules", []):
        trigger = rule["metricTrigger"]
        if rule["scaleAction"]["direction"] == "Increase" and trigger["metricName"] in _LIMITS:
            found[_LIMITS[trigger["metricName"]]] = int(trigger["threshold"])
    return found
