"""A local Azure for small projects of assets, which the real engine deploys; a conftest.py imports the fixtures."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure
from azureml_fixtures.engine import GROUP, STACK, WORKSPACE, EngineProject, Make, make_workspace
from pulumi_azureml.operations import connection


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """Start a local Azure with the workspace `engine`; `signed_in` points this process to it, test by test."""
    with LocalAzure.started(tmp_path_factory.mktemp("engine")) as made:
        make_workspace(made)
        yield made


@pytest.fixture
def signed_in(azure: LocalAzure) -> Iterator[LocalAzure]:
    """Give this process, for one test, the environment that `amlite run` gives: other files have another cloud."""
    with azure.signed_in():
        connection.sign_in_again()
        yield azure
        connection.sign_in_again()


@pytest.fixture
def make(signed_in: LocalAzure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that makes a project with an empty stack of its own backend."""
    from azure.ai.ml import MLClient

    def make(tag: str | None = None) -> EngineProject:
        ml = MLClient(
            signed_in.credential, SUBSCRIPTION_ID, GROUP, WORKSPACE, show_progress=False, enable_telemetry=False
        )
        (tmp_path / "backend").mkdir()
        backend = f"file://{tmp_path / 'backend'}"
        environment = {**os.environ, "PULUMI_BACKEND_URL": backend, "PULUMI_CONFIG_PASSPHRASE": "test"}
        (tmp_path / "project").mkdir()
        monkeypatch.chdir(tmp_path / "project")
        project = EngineProject(tmp_path / "project", ml, tag or uuid.uuid4().hex[:8], environment)
        project.pulumi("stack", "init", STACK)
        return project

    return make


@pytest.fixture
def asked(azure: LocalAzure) -> Callable[[], list[str]]:
    """Return a function that lists the requests to Azure ML since it was last asked."""
    seen = [len(azure.requests())]

    def since() -> list[str]:
        new = azure.requests()[seen[0] :]
        seen[0] += len(new)
        return [f"{each['method']} {each['path']}" for each in new if "MachineLearningServices" in each["path"]]

    return since
