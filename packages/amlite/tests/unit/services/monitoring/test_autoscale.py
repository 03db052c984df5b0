from __future__ import annotations

import copy
from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.monitoring import autoscale

GROUP = "/subscriptions/s/resourceGroups/g"
DEPLOYMENT = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e/deployments/blue"
SETTING = ResourceId.of(f"{GROUP}/providers/Microsoft.Insights/autoscaleSettings/rules")
RULE = {
    "metricTrigger": {
        "metricName": "CpuUtilizationPercentage", "metricResourceUri": DEPLOYMENT, "timeGrain": "PT1M",
        "statistic": "Average", "timeWindow": "PT5M", "timeAggregation": "Average", "operator": "GreaterThan",
        "threshold": 70,
    },
    "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"},
}  # fmt: skip
PROFILE = {"name": "default", "capacity": {"minimum": "2", "maximum": "5", "default": "2"}, "rules": [RULE]}


def prepared(platform: Platform, kind: str = "Managed", **changes: Any) -> dict[str, Any]:
    body = {"properties": {"endpointComputeType": kind}, "sku": {"capacity": 1}}
    platform.store.put(DEPLOYMENT, "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments", body)
    platform.store.put(GROUP, "Microsoft.Resources/resourceGroups", {})
    properties = {"profiles": [PROFILE], "targetResourceUri": DEPLOYMENT, **changes}
    kind_of = autoscale.TYPES[0].prepare
    assert kind_of is not None
    return kind_of(platform, SETTING, {"properties": properties}, None)


def test_a_setting_of_a_managed_deployment_is_taken(platform: Platform) -> None:
    properties = prepared(platform)["properties"]
    assert (properties["enabled"], properties["name"]) == (False, "rules")  # as Azure, unless it is said


def with_profile(path: str, value: Any) -> list[dict[str, Any]]:
    profile: Any = copy.deepcopy(PROFILE)
    *outer, last = path.split(".")
    found = profile
    for key in outer:
        found = found[int(key) if key.isdigit() else key]
    found[last] = value
    return [profile]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"profiles": []}, "1 to 20 profiles"),
        ({"profiles": with_profile("name", "")}, r"profiles\[0\]\.name: is required"),
        ({"profiles": with_profile("capacity.minimum", "3")}, r"minimum \(3\), default \(2\) and maximum \(5\)"),
        ({"profiles": with_profile("capacity.maximum", "many")}, "whole numbers as text"),
        ({"profiles": with_profile("rules.0.metricTrigger.operator", "Above")}, "operator: must be one of Equals"),
        ({"profiles": with_profile("rules.0.metricTrigger.metricName", "")}, "without metricTrigger.metricName"),
        ({"profiles": with_profile("rules.0.scaleAction.cooldown", None)}, "without scaleAction.cooldown"),
        ({"targetResourceUri": GROUP}, "ARM id of a managed online deployment"),
        ({"targetResourceUri": DEPLOYMENT + "x"}, "was not found"),
        ({"kind": "Kubernetes"}, "scales by its own scale settings"),
    ],
)
def test_settings_that_azure_refuses_are_refused_by_name(
    platform: Platform, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AzureError, match=reason):
        prepared(platform, **changes)


def test_a_deployment_has_one_setting(platform: Platform) -> None:
    other = f"{GROUP}/providers/Microsoft.Insights/autoscaleSettings/other"
    platform.store.put(other, autoscale.TYPE, {"name": "other", "properties": {"targetResourceUri": DEPLOYMENT}})
    with pytest.raises(AzureError, match="has the autoscale setting 'other' already"):
        prepared(platform)
