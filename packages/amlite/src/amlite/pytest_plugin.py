"""The pytest plugin of amlite. It imports and starts nothing until a test uses a fixture.

Each pytest process, and each worker of pytest-xdist, has its own amlite in a temporary state folder.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from amlite.testing import Clock, LocalAzure, Workspace

_LOG_LINES = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of amlite's log to the report of a failed test that uses it."""
    report = yield
    azure: LocalAzure | None = getattr(item, "funcargs", {}).get("amlite")
    if report.failed and azure is not None:
        from amlite.core.processes import tail

        report.sections.append(("the end of amlite's log", tail(azure.state / "logs" / "amlite.log", _LOG_LINES)))
    return report


@pytest.fixture(scope="session")
def amlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """A running amlite. Until the session ends, every Azure client of this process and its children reaches it."""
    from amlite.testing import LocalAzure

    with LocalAzure.started(tmp_path_factory.mktemp("amlite")) as azure, azure.signed_in():
        yield azure


@pytest.fixture(scope="session")
def azureml_workspace(amlite: LocalAzure) -> Workspace:
    """A workspace with storage account, key vault and container registry, which the session shares."""
    from amlite.testing import Workspace
    from amlite.workspace import WORKSPACE

    return Workspace.create(amlite, WORKSPACE)


@pytest.fixture(scope="session")
def ml_client(azureml_workspace: Workspace) -> MLClient:
    """The azure-ai-ml client of that workspace."""
    return azureml_workspace.client()


@pytest.fixture
def clock(amlite: LocalAzure) -> Clock:
    """The clock of amlite: `clock.advance(days=1)` makes daily schedules fire."""
    from amlite.testing import Clock

    return Clock(amlite)


@pytest.fixture
def add_fault(amlite: LocalAzure) -> Iterator[Callable[..., None]]:
    """`add_fault("PUT */onlineEndpoints/*", "throttle", times=2)`. amlite forgets the faults after the test."""
    yield amlite.add_fault
    amlite.clear_faults()
