"""A type checker sees every argument, given by keyword or as an object, and what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[3]


def check(program: Path) -> list[str]:
    """Return what mypy has to say of a program, without its place."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.partition(": ")[2] for line in done.stdout.splitlines()]


def test_a_program_is_accepted() -> None:
    assert check(FOLDER / "program.py") == []


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text(
        "import pulumi\nimport pulumi_azureml as azureml\n"
        "place = azureml.WorkspaceArgs(subscription_id='s', resource_group='rg', name='ws')\n"
        "azureml.ComponentArgs(workspace=place, cod='src')\n"
        "azureml.EnvironmentArgs(workspace=place, image=pulumi.Output.from_input('python'))\n"
        "azureml.Model('delays', workspace=place, path='model', type='pickle')\n"
        "azureml.Model('delays', workspace=place)\n"
    )
    told = "\n".join(check(program))
    for expected in (
        'Unexpected keyword argument "cod" for "ComponentArgs"',
        'Argument "image" to "EnvironmentArgs" has incompatible type "Output[str]"; expected "str | None"',
        'No overload variant of "Model" matches argument types "str", "WorkspaceArgs", "str", "str"',
        'No overload variant of "Model" matches argument types "str", "WorkspaceArgs"',
    ):
        assert expected in told, told
