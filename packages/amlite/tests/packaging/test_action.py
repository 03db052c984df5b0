"""The composite action for GitHub: its steps, run one after another as a runner does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from amlite_fixtures.installation import PACKAGE, Shell


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PACKAGE / "action.yml").read_text("utf-8"))
    return found


def test_every_variable_of_a_step_is_an_input_with_a_default(action: dict[str, Any]) -> None:
    assert action["runs"]["using"] == "composite"
    given = {f"${{{{ inputs.{name} }}}}" for name, each in action["inputs"].items() if each["default"]}
    used = {value for step in action["runs"]["steps"] for value in step.get("env", {}).values()}
    assert used == given


def test_the_steps_after_it_reach_amlite(action: dict[str, Any], installed: Shell, tmp_path: Path) -> None:
    variables = {"GITHUB_ENV": str(tmp_path / "github"), "AMLITE_STATE": str(tmp_path / "state")}
    wanted = {"resource-group": "rg-action", "workspace": "mlw-action"}
    _, install, *steps = action["runs"]["steps"]
    assert install["run"] == 'python -m pip install "$PACKAGE"'  # `installed` has it
    try:
        for step in steps:
            given = {name: wanted[value.split(".")[1].split()[0]] for name, value in step.get("env", {}).items()}
            installed.run(step["run"], **variables, **given)
        lines = (tmp_path / "github").read_text("utf-8").splitlines()
        exported = dict(line.split("=", 1) for line in lines)
        program = (
            "import os, requests; address = 'https://management.azure.com/subscriptions/'"
            "+ os.environ['AZURE_SUBSCRIPTION_ID'] + '/resourceGroups?api-version=2021-04-01';"
            "print(requests.get(address).headers['WWW-Authenticate'])"
        )
        assert "login.microsoftonline.com/10ca1000-" in installed.run(f'python -c "{program}"', **exported)
    finally:
        installed.run("amlite stop", **variables)
