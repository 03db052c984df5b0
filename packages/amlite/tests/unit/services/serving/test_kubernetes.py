from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.machinelearning.references import COMPUTE_TYPE
from amlite.services.serving import kubernetes

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
COMPUTE = f"{WORKSPACE}/computes/k8s"
DEPLOYMENT = ResourceId.of(f"{WORKSPACE}/onlineEndpoints/e/deployments/blue")


@pytest.fixture
def cluster(platform: Platform) -> Platform:
    """Return a platform with an attached cluster and a cluster of managed nodes."""
    inner = {"instanceTypes": {"small": {}, "large": {}}, "defaultInstanceType": "small"}
    body = {"name": "k8s", "properties": {"computeType": "Kubernetes", "properties": inner}}
    platform.store.put(COMPUTE, COMPUTE_TYPE, body)
    managed = {"name": "cpu", "properties": {"computeType": "AmlCompute"}}
    platform.store.put(f"{WORKSPACE}/computes/cpu", COMPUTE_TYPE, managed)
    return platform


def checked(platform: Platform, **properties: Any) -> dict[str, Any]:
    return kubernetes.check_deployment(platform, {"compute": COMPUTE}, DEPLOYMENT, properties)


def test_the_cluster_fills_in_what_is_not_said(cluster: Platform) -> None:
    found = checked(cluster, scaleSettings={"scaleType": "TargetUtilization", "maxInstances": 3})
    assert found["instanceType"] == "small"
    assert found["scaleSettings"]["minInstances"] == 1
    assert found["scaleSettings"]["targetUtilizationPercentage"] == 70


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"instanceType": "huge"}, "no instance type 'huge'; it has: large, small"),
        ({"scaleSettings": {"scaleType": "TargetUtilization", "minInstances": 4, "maxInstances": 2}}, "between 0 and"),
        ({"scaleSettings": {"scaleType": "TargetUtilization", "targetUtilizationPercentage": 101}}, "is not 1 to 100"),
        (
            {"containerResourceRequirements": {"containerResourceRequests": {"memory": "lots"}}},
            "memory: 'lots' is not a valid quantity",
        ),
    ],
)
def test_deployments_that_do_not_fit_the_cluster_are_refused(
    cluster: Platform, properties: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AzureError, match=reason):
        checked(cluster, **properties)


@pytest.mark.parametrize(("name", "reason"), [("none", "no compute 'none'"), ("azureml:cpu", "of type AmlCompute")])
def test_other_computes_hold_no_endpoint(cluster: Platform, name: str, reason: str) -> None:
    with pytest.raises(AzureError, match=reason):
        kubernetes.compute_of(cluster, WORKSPACE, name)


@pytest.mark.parametrize(("text", "value"), [("500m", 0.5), ("2", 2.0), ("1.5Gi", 1.5 * 2**30), ("100M", 1e8)])
def test_quantities_are_those_of_kubernetes(text: str, value: float) -> None:
    assert kubernetes.quantity(text, "cpu") == value
