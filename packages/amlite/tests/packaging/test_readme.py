"""The README's examples run where somebody installs amlite, and its YAML is what its readers' tools take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from amlite_fixtures.installation import LOCK, PACKAGE, UV, Example, Shell, examples

START = "Start in 60 seconds"
PYTEST = "Test with pytest"


def blocks(heading: str, language: str) -> list[str]:
    return [each.text for each in examples() if (each.heading, each.language) == (heading, language)]


@pytest.fixture(scope="module")
def printed(installed: Shell) -> str:
    """Run the README's first example, and return what it prints."""
    (commands,), (script,) = blocks(START, "sh"), blocks(START, "python")
    installation, *others = commands.splitlines()
    assert installation.startswith("pip install amlite ")
    installed.install(*installation.split()[3:])
    (installed.folder / "hello.py").write_text(script, "utf-8")
    return "".join(map(installed.run, others))


def test_the_first_example_runs(printed: str) -> None:
    assert "mlw-amlite" in printed
    assert printed.splitlines()[-1].upper().endswith("COMPLETED")


@pytest.mark.usefixtures("printed")
def test_uvx_runs_a_command_with_the_python_of_the_project(installed: Shell, wheel: Path) -> None:
    uvx = f"{UV} tool run --constraint {LOCK} --from {wheel}"
    name = "import azure.ai.ml, os, sys; print(sys.prefix, os.environ['AMLITE_STATE'])"
    told = installed.run(f'env -u VIRTUAL_ENV {uvx} amlite run -- python -c "{name}"')
    assert told.splitlines()[-1] == f"{installed.folder / '.venv'} {installed.folder / '.amlite'}"


def test_the_tests_of_the_readme_pass(installed_for_tests: Shell) -> None:
    tests, conftest = blocks(PYTEST, "python")
    (installed_for_tests.folder / "readme" / "churn").mkdir(parents=True)
    (installed_for_tests.folder / "readme" / "test_data.py").write_text(tests, "utf-8")
    (installed_for_tests.folder / "readme" / "churn" / "conftest.py").write_text(conftest, "utf-8")
    (installed_for_tests.folder / "readme" / "churn" / "test_it.py").write_text(
        "def test_it(azureml_workspace):\n"
        "    found = azureml_workspace.client().workspaces.get(azureml_workspace.name)\n"
        "    assert (found.name, found.resource_group) == ('mlw-churn', 'rg-churn')\n",
        "utf-8",
    )
    assert "3 passed" in installed_for_tests.run("pytest --quiet readme")


@pytest.mark.parametrize("example", [each for each in examples() if each.language == "yaml"], ids=lambda e: e.heading)
def test_yaml_is_a_list_of_steps(example: Example) -> None:
    found = yaml.safe_load(example.text)
    steps = found["jobs"]["test"]["steps"] if "jobs" in found else found["steps"]
    assert all({"run", "uses", "script", "task"} & step.keys() for step in steps)


def test_the_image_takes_the_arguments_that_the_readme_names() -> None:
    declared = re.findall(r"^ARG (\w+)", (PACKAGE / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"--build-arg (\w+)", (PACKAGE / "README.md").read_text("utf-8"))
    assert set(named) == {"AMLITE", "BASE"}
    assert set(named) <= set(declared)
