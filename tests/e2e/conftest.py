"""What the files share: a platform that `make up` brought up, and a local Azure for small projects of assets."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.core import runtime
from pulumi_azureml.operations import connection
from tests.checkout import Checkout, checkout
from tests.e2e.engine import ROOT, STACK, WORKSPACE, EngineProject, Make, make_workspace
from tests.integration.conftest import GROUP, GROUP_ID, LocalAzure


@dataclass(frozen=True)
class Platform:
    """A clone whose stack `local` is up, and what `make up` printed."""

    clone: Checkout
    printed: str

    def run(self, command: str, expect: int = 0) -> str:
        """Run a shell command in the clone; see `Checkout.run`."""
        return self.clone.run(command, expect)

    def local(self, command: str, expect: int = 0) -> str:
        """Run a command against the local Azure."""
        return self.run(f".venv/bin/amlite run -- {command}", expect)


@pytest.fixture(scope="session")
def new_clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Checkout]]:
    """Return a function that makes a fresh clone of the working tree."""
    with ExitStack() as clones:
        yield lambda: clones.enter_context(checkout(tmp_path_factory.mktemp("clone")))


@pytest.fixture(scope="session")
def platform(new_clone: Callable[[], Checkout]) -> Iterator[Platform]:
    """Bring the stack `local` up in a fresh clone; take it down at the end, when nothing may be left running."""
    clone = new_clone()
    yield Platform(clone, clone.run("make up"))
    clone.run("make down")
    assert clone.leftovers() == []


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """Start a local Azure with the workspace `engine`; `signed_in` points this process to it, test by test."""
    from azure.identity import DefaultAzureCredential

    state = tmp_path_factory.mktemp("engine")
    environment = {**os.environ, runtime.VARIABLE: str(state)}
    subprocess.run([sys.executable, "-m", "amlite.cli", "start"], cwd=ROOT, env=environment, check=True)
    running = runtime.read(state)
    assert running is not None
    with pytest.MonkeyPatch.context() as patch:
        _point_to(running, patch)
        made = LocalAzure(state, DefaultAzureCredential())
        made.put(GROUP_ID, {"location": "westeurope"}, "2021-04-01")
        make_workspace(made)
    try:
        yield made
    finally:
        made.session.close()
        made.command("stop")


@pytest.fixture
def signed_in(azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAzure]:
    """Give this process, for one test, the environment that `amlite run` gives: other files have another cloud."""
    running = runtime.read(azure.state)
    assert running is not None
    _point_to(running, monkeypatch)
    connection.sign_in_again()
    yield azure
    connection.sign_in_again()


def _point_to(running: runtime.Runtime, patch: pytest.MonkeyPatch) -> None:
    for name, value in running.environment.items():
        patch.setenv(name, value)


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
