"""Extensions of managed clusters, and the attachment of a cluster to a workspace.

Sources: extensions.json of Azure/azure-rest-api-specs, "Deploy Azure Machine Learning extension on AKS or Arc
Kubernetes cluster", and "Attach a Kubernetes cluster to Azure Machine Learning workspace".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from requests import Response

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures import clusters
from amlite_fixtures.azure import Json
from amlite_fixtures.clusters import Place

VERSION = "2023-05-01"


@pytest.fixture
def place(amlite: LocalAzure) -> Iterator[Place]:
    with clusters.place(amlite) as made:
        made.create()
        yield made


def extension(**changed: Any) -> Json:
    properties = {
        "extensionType": "Microsoft.AzureML.Kubernetes",
        "autoUpgradeMinorVersion": True,
        "scope": {"cluster": {"releaseNamespace": "azureml"}},
        "configurationSettings": {"enableTraining": "True"},
        **changed,
    }
    return {"properties": properties}


def path(place: Place, name: str = "azureml", kind: str = "extensions") -> str:
    return f"{place.path()}/providers/Microsoft.KubernetesConfiguration/{kind}/{name}"


def test_real_client_installs_the_extension(place: Place) -> None:
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.kubernetesconfiguration.extensions import KubernetesConfigurationExtensionsMgmtClient
    from azure.mgmt.kubernetesconfiguration.extensions.models import Extension

    client = KubernetesConfigurationExtensionsMgmtClient(DefaultAzureCredential(), SUBSCRIPTION_ID)
    where = (place.name, "Microsoft.ContainerService", "managedClusters", "aks")
    made = client.extensions.begin_create(*where, "azureml", Extension(extension()), polling_interval=0).result()
    assert made.provisioning_state == "Succeeded"
    assert made.current_version
    assert [each.name for each in client.extensions.list(*where)] == ["azureml"]
    client.extensions.begin_delete(*where, "azureml", polling_interval=0).result()
    assert list(client.extensions.list(*where)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"enableInference": "True"},
        {"enableInference": "True", "inferenceRouterServiceType": "loadBalancer"},
        {"enableInference": "True", "inferenceRouterServiceType": "loadBalancer", "sslSecret": "tls"},
    ],
    ids=["nothing enabled", "no router", "no certificate", "no name"],
)
def test_extension_whose_settings_are_not_complete_fails(place: Place, settings: Json) -> None:
    answer = place.azure.arm("PUT", path(place), extension(configurationSettings=settings), VERSION)
    record = place.azure.finish(answer)
    assert record["status"] == "Failed"
    assert record["error"]["code"] == "ExtensionOperationFailed"


def test_extension_that_amlite_does_not_have_is_refused(place: Place) -> None:
    assert place.refusal(extension(extensionType="microsoft.dapr"), path(place), VERSION)[1] == "ExtensionTypeNotFound"


def test_flux_is_refused(place: Place) -> None:
    body = {"properties": {"gitRepository": {"url": "https://github.com/contoso/manifests"}}}
    status, code, text = place.refusal(body, path(place, "kubeflow", "fluxConfigurations"), VERSION)
    assert (status, code) == (400, "FluxNotAvailable")
    assert "does not run Flux" in text


def attached(place: Place, workspace: Workspace) -> Response:
    """Attach the cluster to a workspace, and return the response."""
    properties = {"computeType": "Kubernetes", "resourceId": place.path(), "properties": {"namespace": "kubeflow"}}
    return place.azure.arm("PUT", f"{workspace.id}/computes/aks", {"location": "westeurope", "properties": properties})


def test_cluster_without_the_extension_cannot_be_attached(place: Place, azureml_workspace: Workspace) -> None:
    answer = attached(place, azureml_workspace)
    assert answer.status_code == 400
    assert "extension not installed" in answer.json()["error"]["message"]
    place.azure.put(path(place), extension(), VERSION)
    assert attached(place, azureml_workspace).status_code in (200, 201)
    place.azure.remove(f"{azureml_workspace.id}/computes/aks")
