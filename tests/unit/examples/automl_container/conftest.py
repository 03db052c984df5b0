"""The tasks, imported as in the image: from the folder that becomes /app."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "automl-container"


@pytest.fixture
def example() -> Path:
    """The example's folder."""
    return EXAMPLE


@pytest.fixture
def image() -> Path:
    """The build context of the image."""
    return EXAMPLE / "ml" / "environments" / "tasks"


@pytest.fixture
def task(image: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of the tasks, in a job's environment."""
    monkeypatch.syspath_prepend(str(image))
    for name, value in {
        "AZUREML_ROOT_RUN_ID": "run-1",
        "AZUREML_ARM_SUBSCRIPTION": "00000000-0000-0000-0000-000000000001",
        "AZUREML_ARM_RESOURCEGROUP": "rg",
        "AZUREML_ARM_WORKSPACE_NAME": "mlw",
        "DEFAULT_IDENTITY_CLIENT_ID": "11111111-0000-4000-8000-000000000000",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda name: importlib.import_module(f"tasks.{name}")
