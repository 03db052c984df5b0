"""The public names: each can be imported, is in `__all__`, and is in `__init__.pyi` for type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pulumi_azureml
from pulumi_azureml import operations
from pulumi_azureml.resources.kinds import RESOURCES


@pytest.mark.parametrize("package", [pulumi_azureml, operations], ids=lambda package: package.__name__)
def test_all_imported_names_are_exported(package: ModuleType) -> None:
    stub = ast.parse(Path(str(package.__file__)).with_suffix(".pyi").read_text("utf-8"))
    imported = [name.name for node in stub.body if isinstance(node, ast.ImportFrom) for name in node.names]
    (exported,) = (ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    assert sorted(imported) == sorted(exported) == sorted(package.__all__) == sorted(dir(package))
    for name in exported:
        assert getattr(package, name) is not None


def test_every_resource_and_its_arguments_are_exported() -> None:
    for resource in RESOURCES.values():
        assert getattr(pulumi_azureml, resource.__name__) is resource
        assert getattr(pulumi_azureml, f"{resource.__name__}Args") is resource.arguments


def test_the_providers_process_loads_no_resource() -> None:
    """The engine starts it for each preview and update."""
    program = (
        "import sys, pulumi_azureml.provider\n"
        "print([name for name in sys.modules if name.startswith(('pulumi_azureml.resources', 'pydantic', 'azure'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_planning_loads_no_pulumi() -> None:
    program = "import sys, pulumi_azureml.planning; print([name for name in sys.modules if name == 'pulumi'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
