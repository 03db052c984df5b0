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
from amlite.services.machinelearning.computes import TYPES

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
