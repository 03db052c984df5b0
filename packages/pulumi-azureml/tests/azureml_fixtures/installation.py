"""pulumi-azureml as people install it: its wheel alone, in an empty environment outside this repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.installation import Shell, build

PACKAGE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of pulumi-azureml."""
    return build(PACKAGE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def readme_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    """Start an amlite with the workspace that `amlite up` creates."""
    with LocalAzure.started(tmp_path_factory.mktemp("readme")) as azure:
        Workspace.create(azure, "mlw-amlite")
        yield azure


@pytest.fixture(scope="session")
def installed(new_shell: Callable[[], Shell], wheel: Path, readme_azure: LocalAzure) -> Shell:
    """Return a shell with pulumi-azureml and the Pulumi CLI, which amlite's environment points to amlite."""
    shell = new_shell()
    shell.install(str(wheel))
    engine = Path(sys.executable).with_name("pulumi")
    environment = readme_azure.environment(shell.environment)
    path = f"{shell.environment['PATH']}{os.pathsep}{engine.resolve().parent}"
    return replace(shell, environment={**environment, "PATH": path})
