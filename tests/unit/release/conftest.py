"""The hosts of the repository on loopback, and a stack without an engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from pulumi import automation

from release import sign_in
from release.project import CWD_VARIABLE
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub
from tests.unit.release.stacks import FakeStack

VARIABLES = ("GITHUB_", "SYSTEM_", "BUILD_", "AGENT_", "TF_BUILD", "GH_TOKEN")


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the job that the tests run in."""
    for name in os.environ:
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ignore no signal to end, as `nohup` and a shell's background jobs do."""
    numbers: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def on_github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def on_azure_devops() -> Iterator[FakeAzureDevOps]:
    with FakeAzureDevOps() as fake:
        yield fake


@pytest.fixture(params=[FakeGitHub, FakeAzureDevOps], ids=["github", "azure-devops"])
def host(request: pytest.FixtureRequest) -> Iterator[FakeGitHub | FakeAzureDevOps]:
    """Return each host in turn. It gives two items in an answer."""
    fake: FakeGitHub | FakeAzureDevOps = request.param(page=2)
    with fake:
        yield fake


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits, which take no time."""
    seconds: list[float] = []
    monkeypatch.setattr(RequestsTransport, "sleep", lambda _self, duration: seconds.append(duration))
    return seconds


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    made = FakeStack()
    monkeypatch.setattr(automation, "select_stack", lambda _name, work_dir: made)
    monkeypatch.setattr(sign_in, "check", lambda _name, _file: "")
    monkeypatch.setenv(CWD_VARIABLE, str(tmp_path))
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    return made
