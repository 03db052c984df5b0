"""The fixture `amlite` for these tests, a registry and a cluster, and where they lie in Azure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite.testing.local_azure import ARM
from amlite.testing.local_azure import ML_API_VERSION as ML_VERSION
from amlite.workspace import RESOURCE_GROUP as GROUP

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential

SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP_ID = f"{SUBSCRIPTION}/resourceGroups/{GROUP}"
REGISTRY = "shared-assets"
REGISTRY_ID = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/registries/{REGISTRY}"
Json = dict[str, Any]
__all__ = ["ARM", "GROUP", "GROUP_ID", "ML_VERSION", "REGISTRY", "REGISTRY_ID", "SUBSCRIPTION", "Json"]


@pytest.fixture(scope="session")
def amlite(amlite: LocalAzure) -> Iterator[LocalAzure]:
    """Return amlite with a resource group; this process trusts amlite's own authority alone."""
    with pytest.MonkeyPatch.context() as patch:
        bundle = os.environ["SSL_CERT_FILE"]
        for name in [name for name, value in os.environ.items() if value == bundle]:
            # Each new connection reads the authorities it trusts: of the machine's hundreds none is needed here.
            patch.setenv(name, str(amlite.session.verify))
        amlite.put(GROUP_ID, {"location": "westeurope"}, "2021-04-01")
        yield amlite


@pytest.fixture(scope="session")
def identity_workspace(amlite: LocalAzure) -> Workspace:
    """Return a workspace whose datastores sign in by identity, on an account that refuses keys."""
    return Workspace.create(amlite, "mlw-identity", identity=True)


def registry_client(name: str = REGISTRY, credential: TokenCredential | None = None) -> MLClient:
    """Return the real client of a registry, as a user would make it."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    return MLClient(
        credential or DefaultAzureCredential(), registry_name=name, show_progress=False, enable_telemetry=False
    )


@pytest.fixture(scope="session")
def registry(ml_client: MLClient) -> MLClient:
    """Return the client of a registry that the session shares, made by the real client."""
    from azure.ai.ml.entities import Registry, RegistryRegionDetails

    regions = [RegistryRegionDetails(location="westeurope")]
    ml_client.registries.begin_create(
        Registry(name=REGISTRY, location="westeurope", tags={"team": "platform"}, replication_locations=regions)
    ).result()
    return registry_client()


@pytest.fixture(scope="session")
def cluster(azureml_workspace: Workspace) -> None:
    """Give the shared workspace the cluster `cpu`."""
    add_cluster(azureml_workspace)


def add_cluster(workspace: Workspace) -> None:
    """Give a workspace the cluster `cpu` of one node."""
    scale = {"minNodeCount": 0, "maxNodeCount": 1}
    properties = {"vmSize": "Standard_DS3_v2", "scaleSettings": scale}
    body = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": properties}}
    workspace.azure.put(f"{workspace.id}/computes/cpu", body)
