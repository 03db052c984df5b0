"""What endpoints and deployments say about traffic, scale, network and where they run."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError

from amlite import SUBSCRIPTION_ID
from amlite.testing import Workspace
from amlite_fixtures.azure import GROUP
from amlite_fixtures.scoring import Scoring, new_endpoint, servers_of

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment

CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/arc"
)


def requests_of(workspace: Workspace, scoring: Scoring, deployment: str) -> float:
    """Return how many requests Azure Monitor counts for a deployment in the last hour."""
    path = f"{workspace.id}/onlineEndpoints/{scoring.name}/providers/Microsoft.Insights/metrics"
    query = f"&metricnames=RequestsPerMinute&interval=PT1M&$filter=deployment eq '{deployment}'"
    found = workspace.azure.arm("GET", path, version="2018-01-01", query=query).json()["value"][0]["timeseries"]
    return float(sum(point.get("average", 0) for series in found for point in series["data"]))


def eventually(count: Callable[[], float], expected: float) -> bool:
    """Whether a count that rises by itself comes to a number and stays there, in half a minute at most."""
    for _ in range(300):
        if count() >= expected:
            break
        time.sleep(0.1)
    return count() == expected


def test_copies_of_requests_go_to_a_deployment_without_traffic(shared: Scoring, azureml_workspace: Workspace) -> None:
    azureml_workspace.azure.advance(7200)
    endpoint = shared.ml.online_endpoints.get(shared.name)
    endpoint.traffic, endpoint.mirror_traffic = {"blue": 100}, {"green": 50}
    shared.ml.online_endpoints.begin_create_or_update(endpoint).result()
    assert shared.ml.online_endpoints.get(shared.name).mirror_traffic == {"green": 50}
    key = shared.key
    answers = [shared.post({"value": 1}, key=key) for _ in range(10)]
    assert {answer.headers["azureml-model-deployment"] for answer in answers} == {"blue"}
    shared.post({"value": 1}, "blue", key=key)  # one that names its deployment is not copied
    # Nobody waits for copies, so they may be on their way.
    assert eventually(lambda: requests_of(azureml_workspace, shared, "green"), 5)
    with pytest.raises(HttpResponseError, match="50 % of the endpoint's mirrored traffic"):
        shared.ml.online_deployments.begin_delete("green", shared.name).result()
    endpoint.mirror_traffic = {"green": 60}
    with pytest.raises(HttpResponseError, match="60 is not between 0 and 50"):
        shared.ml.online_endpoints.begin_create_or_update(endpoint).result()
    endpoint.mirror_traffic = {}
    shared.ml.online_endpoints.begin_create_or_update(endpoint).result()


def test_names_of_endpoints_are_unique_in_a_region(empty: Scoring, azureml_workspace: Workspace) -> None:
    """Source: how-to-use-batch-model-deployments, and for the error a run on Azure (ansible-collections/azure#2231)."""
    from azure.ai.ml.entities import BatchEndpoint, ManagedOnlineEndpoint

    ml = Workspace.create(azureml_workspace.azure, "mlw-same-region", resource_group="rg-same-region").client()
    taken = "Endpoint names must be unique within the region. Please choose a different name and try again."
    for operations, endpoint in (
        (ml.online_endpoints, ManagedOnlineEndpoint(name=empty.name.upper())),
        (ml.batch_endpoints, BatchEndpoint(name=empty.name)),
    ):
        with pytest.raises(HttpResponseError, match=taken) as refused:
            operations.begin_create_or_update(endpoint).result()
        assert (refused.value.status_code, refused.value.error and refused.value.error.code) == (400, "UserError")
    elsewhere = Workspace.create(
        azureml_workspace.azure, "mlw-other-region", resource_group="rg-other-region", location="northeurope"
    ).client()
    elsewhere.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=empty.name)).result()
    elsewhere.online_endpoints.begin_delete(empty.name).result()


def test_an_endpoint_without_public_access_is_not_scored_from_here(ml_client: MLClient) -> None:
    scoring = new_endpoint(ml_client, public_network_access="disabled")
    answer = requests.post(scoring.uri, json={}, headers={"Authorization": f"Bearer {scoring.key}"}, timeout=60)
    assert answer.status_code == 403
    assert "Public network access" in answer.text
    ml_client.online_endpoints.begin_delete(scoring.name).result()


def test_a_live_deployment_is_scaled_in_place_and_bounded_by_autoscale(
    empty: Scoring, make_deployment: Callable[..., ManagedOnlineDeployment], azureml_workspace: Workspace
) -> None:
    from azure.ai.ml.entities import DataCollector, DeploymentCollection
    from azure.mgmt.monitor import MonitorManagementClient
    from azure.mgmt.monitor.models import AutoscaleProfile, AutoscaleSettingResource, ScaleCapacity

    deployment = make_deployment(
        empty.name, "scaled", egress_public_network_access="disabled", app_insights_enabled=True,
        data_collector=DataCollector(collections={"model_inputs": DeploymentCollection(enabled="true")}),
    )  # fmt: skip
    empty.ml.online_deployments.begin_create_or_update(deployment).result()
    path = f"{azureml_workspace.id}/onlineEndpoints/{empty.name}/deployments/scaled"
    change = azureml_workspace.azure.arm("PATCH", path, {"sku": {"name": "Default", "capacity": 2}})
    assert change.status_code == 200, change.text
    azureml_workspace.azure.finish(change)
    assert empty.ml.online_deployments.get("scaled", empty.name).instance_count == 2
    assert eventually(lambda: workers(azureml_workspace, "scaled"), 2)
    profile = AutoscaleProfile(name="default", capacity=ScaleCapacity(minimum="3", maximum="4", default="3"), rules=[])
    setting = AutoscaleSettingResource(
        location="westeurope", profiles=[profile], target_resource_uri=path, enabled=True
    )
    with MonitorManagementClient(azureml_workspace.azure.credential, SUBSCRIPTION_ID) as monitor:
        made = monitor.autoscale_settings.create_or_update(GROUP, "rules", setting)
        assert made.profiles[0].capacity.maximum == "4"
        assert [each.name for each in monitor.autoscale_settings.list_by_resource_group(GROUP)] == ["rules"]
        assert eventually(lambda: workers(azureml_workspace, "scaled"), 3)
        assert empty.post({"value": 1}, "scaled").json() == 2
        monitor.autoscale_settings.delete(GROUP, "rules")
        with pytest.raises(HttpResponseError):
            monitor.autoscale_settings.get(GROUP, "rules")


def workers(workspace: Workspace, deployment: str) -> int:
    """Return how many workers serve a deployment: the children of its server's process."""
    return sum(len(process.children()) for process in servers_of(workspace, deployment))


@pytest.fixture(scope="module")
def cluster(azureml_workspace: Workspace) -> Iterator[str]:
    """Return the ARM id of an attached Kubernetes cluster."""
    path = f"{azureml_workspace.id}/computes/k8s"
    types = {"small": {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}}
    body = {"computeType": "Kubernetes", "resourceId": CLUSTER, "properties": {"instanceTypes": types}}
    azureml_workspace.azure.put(path, {"location": "westeurope", "properties": body})
    yield path
    azureml_workspace.azure.remove(path)


def test_endpoints_on_kubernetes_take_kubernetes_deployments(
    ml_client: MLClient, cluster: str, make_deployment: Callable[..., ManagedOnlineDeployment]
) -> None:
    from azure.ai.ml.entities import (
        KubernetesOnlineDeployment,
        KubernetesOnlineEndpoint,
        ResourceRequirementsSettings,
        ResourceSettings,
        TargetUtilizationScaleSettings,
    )

    attached = ml_client.compute.get("k8s")
    assert attached.type == "kubernetes"
    name = f"ep-{dt.datetime.now(dt.UTC):%H%M%S%f}"
    ml_client.online_endpoints.begin_create_or_update(
        KubernetesOnlineEndpoint(name=name, compute=cluster, auth_mode="key")
    ).result()
    scoring = Scoring(ml_client, name)
    made = make_deployment(name, "managed")
    with pytest.raises(HttpResponseError, match="takes deployments of type Kubernetes, not Managed"):
        ml_client.online_deployments.begin_create_or_update(made).result()

    def deployment(**settings: Any) -> KubernetesOnlineDeployment:
        return KubernetesOnlineDeployment(
            name="blue",
            endpoint_name=name,
            model=made.model,
            environment=made.environment,
            code_configuration=made.code_configuration,
            **{"instance_type": "small", "instance_count": 1, **settings},
        )

    with pytest.raises(HttpResponseError, match="no instance type 'large'; it has: defaultinstancetype, small"):
        ml_client.online_deployments.begin_create_or_update(deployment(instance_type="large")).result()
    greedy = ResourceRequirementsSettings(ResourceSettings(cpu="2"), ResourceSettings(cpu="500m"))
    with pytest.raises(HttpResponseError, match=r"requests\.cpu \(2\) is more than limits\.cpu"):
        ml_client.online_deployments.begin_create_or_update(deployment(resources=greedy)).result()
    scale = TargetUtilizationScaleSettings(min_instances=1, max_instances=3, target_utilization_percentage=60)
    fitting = ResourceRequirementsSettings(ResourceSettings(cpu="100m"), ResourceSettings(cpu="1", memory="1Gi"))
    ml_client.online_deployments.begin_create_or_update(deployment(resources=fitting, scale_settings=scale)).result()
    assert scoring.post({"value": 4}, "blue").json() == 8
    shown = ml_client.online_deployments.get("blue", name)
    assert shown.instance_type == "small"
    assert shown.scale_settings.max_instances == 3
    ml_client.online_endpoints.begin_delete(name).result()


def test_managed_endpoints_take_managed_deployments(empty: Scoring, azureml_workspace: Workspace, cluster: str) -> None:
    path = f"{azureml_workspace.id}/onlineEndpoints/{empty.name}"
    body = {"location": "westeurope", "properties": {"endpointComputeType": "Kubernetes"}, "sku": {"name": "Default"}}
    refused = azureml_workspace.azure.arm("PUT", f"{path}/deployments/blue", body)
    assert refused.status_code == 400
    assert "takes deployments of type Managed, not Kubernetes" in refused.text
    missing = {"location": "westeurope", "properties": {"authMode": "Key", "compute": cluster + "x"}}
    assert "there is no compute 'k8sx'" in azureml_workspace.azure.arm("PUT", f"{path}x", missing).text
    moved = {"location": "westeurope", "properties": {"authMode": "Key", "compute": cluster}}
    assert "compute: cannot be changed" in azureml_workspace.azure.arm("PUT", path, moved).text
