"""The pytest plugin as somebody else's tests use it."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amlite.core import runtime
from amlite.testing import Clock, FaultKind, LocalAzure, LocalAzureError, Workspace
from amlite_fixtures.azure import GROUP_ID

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

SUITE = """
import os
import subprocess
import sys

GROUPS = "/subscriptions/10ca1000-0000-4000-9000-616d6c697465/resourcegroups"


def test_a_fault_is_met(amlite, add_fault):
    add_fault("GET */resourcegroups*", "throttle", rate=1.0)
    assert amlite.arm("GET", GROUPS, version="2021-04-01").status_code == 429


def test_no_fault_outlives_its_test(amlite):
    assert amlite.arm("GET", GROUPS, version="2021-04-01").status_code == 200


def test_this_process_and_its_children_reach_amlite(amlite, record_states):
    assert os.environ["AMLITE_STATE"] == str(amlite.state)
    assert "AZURE_USERNAME" not in os.environ
    program = "import requests; print(requests.get('https://management.azure.com/subscriptions').status_code)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "401\\n"
    record_states.joinpath(os.environ["PYTEST_XDIST_WORKER"]).write_text(str(amlite.state))
"""
CONFTEST = """
from pathlib import Path

import pytest


@pytest.fixture
def record_states():
    folder = Path(__file__).parent / "states"
    folder.mkdir(exist_ok=True)
    return folder
"""


def test_each_worker_has_an_amlite_of_its_own_which_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE, "utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    environment = {**os.environ, "AZURE_USERNAME": "somebody"}
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "each", "-p", "no:randomly", "-q"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    states = {Path(file.read_text("utf-8")) for file in (tmp_path / "states").iterdir()}
    assert len(states) == 2
    assert [runtime.read(state) for state in states] == [None, None]


def test_the_client_of_the_workspace_signs_in(ml_client: MLClient, azureml_workspace: Workspace) -> None:
    found = ml_client.workspaces.get(azureml_workspace.name)
    assert found.container_registry.endswith(azureml_workspace.layout.container_registry)
    assert found.storage_account.endswith(azureml_workspace.account)


def test_a_workspace_that_is_there_is_found(amlite: LocalAzure, azureml_workspace: Workspace) -> None:
    before = amlite.arm("GET", azureml_workspace.id).json()["properties"]["workspaceId"]
    assert Workspace.create(amlite, azureml_workspace.name) == azureml_workspace
    assert amlite.arm("GET", azureml_workspace.id).json()["properties"]["workspaceId"] == before


def test_the_clock_moves_forward_only(clock: Clock) -> None:
    before = clock.now()
    assert clock.advance(days=1) - before >= dt.timedelta(days=1)
    moment = clock.now() + dt.timedelta(hours=3)
    assert clock.advance_to(moment) >= moment
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance_to(before)


def test_what_fails_says_what_amlite_said(amlite: LocalAzure, tmp_path: Path) -> None:
    with pytest.raises(LocalAzureError, match="no log 'nothing'"):
        amlite.command("logs", "nothing")
    with pytest.raises(LocalAzureError, match="LocationRequired"):
        amlite.put(f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/stnowhere", {}, "2024-01-01")
    with pytest.raises(LocalAzureError, match="amlite has no role 'King'; it has: "):
        amlite.application(("King", GROUP_ID))
    with pytest.raises(LocalAzureError, match="amlite does not run on"):
        LocalAzure(tmp_path)


def test_requests_reach_amlite_whatever_the_environment_is(amlite: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert amlite.arm("GET", GROUP_ID, version="2021-04-01").status_code == 200
    reader = amlite.application(("Reader", GROUP_ID))
    assert amlite.arm("GET", GROUP_ID, version="2021-04-01", credential=reader).status_code == 200
    assert amlite.arm("DELETE", GROUP_ID, version="2021-04-01", credential=reader).status_code == 403


def test_faults_and_resources_are_listed(
    amlite: LocalAzure, azureml_workspace: Workspace, add_fault: Callable[..., None]
) -> None:
    pattern = "GET */resourcegroups/nowhere*"
    add_fault(pattern, FaultKind.THROTTLE, times=2)
    (fault,) = (each for each in amlite.faults() if each["match"] == pattern)
    assert (fault["kind"], fault["times"], fault["met"]) == ("throttle", 2, 0)
    path = f"{azureml_workspace.id}/environments/listed"
    amlite.put(path, {"properties": {}})
    amlite.put(f"{path}/versions/1", {"properties": {"image": "python:3.11", "isArchived": True}})
    assert amlite.resources(path)[f"{path}/versions/1"]["properties"]["isArchived"]
