"""The attachment of a managed cluster to a workspace.

Source: "Attach to workspace with user-assigned managed identity" in how-to-attach-kubernetes-to-workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amlite.core.access import Principal, grant, role_id
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import Children
from amlite.core.resource_id import ResourceId
from amlite.core.store import Store
from amlite.core.wire import Json
from amlite.services.jobs import plan
from amlite.services.kubernetesconfiguration import extensions
from amlite.services.machinelearning.computes import TYPES
from amlite.services.serving import kubernetes

GROUP = "/subscriptions/s/resourceGroups/rg"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks"
EXTENSION = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
HOLDER = Principal("object-id", "client-id")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Return amlite with a workspace that has an identity of its own."""
    store = Store(tmp_path / "amlite.db")
    made = Platform(tmp_path, store, Children(tmp_path))
    identities = {"id": {"principalId": HOLDER.object_id, "clientId": HOLDER.client_id}}
    workspace = {
        "id": WORKSPACE, "name": "mlw", "location": "westeurope", "properties": {},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": identities},
    }  # fmt: skip
    store.put(WORKSPACE, "Microsoft.MachineLearningServices/workspaces", workspace)
    yield made
    store.close()


def attach(platform: Platform) -> Json:
    properties = {"computeType": "Kubernetes", "resourceId": CLUSTER, "properties": {"namespace": "kubeflow"}}
    (kind,) = [each for each in TYPES if each.name.endswith("/computes")]
    assert kind.prepare is not None
    resource = ResourceId.of(f"{WORKSPACE}/computes/aks")
    return kind.prepare(platform, resource, {"location": "westeurope", "properties": properties}, None)


def refusal(platform: Platform) -> tuple[int, str]:
    with pytest.raises(AzureError) as raised:
        attach(platform)
    return raised.value.status, raised.value.message


def test_cluster_needs_the_extension_and_the_workspace_roles_on_it(platform: Platform) -> None:
    assert refusal(platform)[1].startswith("Cannot found Kubernetes cluster.")
    platform.store.put(CLUSTER, "Microsoft.ContainerService/managedClusters", {"id": CLUSTER})
    assert "extension not installed" in refusal(platform)[1]
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "provisioningState": "Succeeded",
        "configurationSettings": {"enableTraining": "True"},
    }
    kind = "Microsoft.KubernetesConfiguration/extensions"
    platform.store.put(EXTENSION, kind, {"id": EXTENSION, "properties": properties})
    assert "extension not installed" in refusal(platform)[1]
    grant(platform.store, HOLDER, CLUSTER, role_id("Kubernetes Extension Contributor"))
    assert refusal(platform)[0] == 500
    grant(platform.store, HOLDER, CLUSTER, role_id("Azure Kubernetes Service Cluster Admin Role"))
    assert attach(platform)["properties"]["properties"]["namespace"] == "kubeflow"


@pytest.mark.parametrize(
    ("settings", "training", "inference"),
    [
        ({"enableTraining": "True"}, True, False),
        ({"enableInference": "true", "enableTraining": "False"}, False, True),
    ],
)
def test_extension_says_which_workloads_run(
    platform: Platform, settings: Json, *, training: bool, inference: bool
) -> None:
    platform.store.put(CLUSTER, "Microsoft.ContainerService/managedClusters", {"id": CLUSTER})
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "provisioningState": "Succeeded",
        "configurationSettings": settings,
    }
    kind = "Microsoft.KubernetesConfiguration/extensions"
    platform.store.put(EXTENSION, kind, {"id": EXTENSION, "properties": properties})
    found = extensions.workloads(platform, {"properties": {"resourceId": CLUSTER}})
    assert found is not None
    assert (found.training, found.inference) == (training, inference)
    assert extensions.workloads(platform, {"properties": {"computeType": "AmlCompute"}}) is None
    compute = f"{WORKSPACE}/computes/aks"
    body = {"id": compute, "name": "aks", "properties": {"computeType": "Kubernetes", "resourceId": CLUSTER}}
    platform.store.put(compute, "Microsoft.MachineLearningServices/workspaces/computes", body)
    if training:
        assert plan._compute(platform, WORKSPACE, "azureml:aks", None) == {"computeId": compute}
        with pytest.raises(AzureError, match="set its enableInference to True"):
            kubernetes.compute_of(platform, WORKSPACE, "azureml:aks")
    else:
        assert kubernetes.compute_of(platform, WORKSPACE, "azureml:aks")["id"] == compute
        with pytest.raises(Exception, match="E45004"):
            plan._compute(platform, WORKSPACE, "azureml:aks", None)
