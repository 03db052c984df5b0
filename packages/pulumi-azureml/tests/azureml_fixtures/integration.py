"""Fixtures of tests that exercise the provider against amlite; a conftest.py imports them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amlite.testing import LocalAzure, Workspace
from azureml_fixtures.asset_project import Project
from azureml_fixtures.fault_matrix import Matrix
from pulumi_azureml.operations import connection
from pulumi_azureml.operations.kinds import OPERATIONS

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@pytest.fixture(scope="session", autouse=True)
def signed_in_anew(amlite: LocalAzure) -> Iterator[None]:
    """Keep no connection of the provider to the cloud of other tests, nor leave one to this amlite."""
    connection.sign_in_again()
    yield
    connection.sign_in_again()


@pytest.fixture(scope="module")
def matrix(azureml_workspace: Workspace, cluster: None, registry: MLClient) -> Matrix:
    """Return the runner of the fault matrix in the shared workspace."""
    return Matrix(azureml_workspace.azure, azureml_workspace.client(), azureml_workspace.id)


@pytest.fixture
def project(
    tmp_path: Path, azureml_workspace: Workspace, ml_client: MLClient, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Return a small project of assets in a folder of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path, ml_client, uuid.uuid4().hex[:8])
    made.endpoint_name = "{}-dev".format
    made.add_datastore()
    made.add_batch()
    yield made
    paths = {
        "schedule": "schedules/daily",
        "online_endpoint": "onlineEndpoints/ep",
        "batch_endpoint": "batchEndpoints/batch",
    }
    for kind, path in paths.items():
        # Asked for first: planning the project again for what most tests never made takes longer.
        place = f"{azureml_workspace.id}/{path}-{made.tag}-dev"
        if azureml_workspace.azure.arm("GET", place).status_code == 200:
            OPERATIONS[kind].remove(ml_client, made.props(kind))
