"""Every command that the documentation shows for the local stack does what it says, in a fresh clone."""

from __future__ import annotations

import pytest

from tests.documentation import ENDING, Command, commands
from tests.e2e.conftest import Platform

# `make test` runs this very test; lint and bench are steps of their own.
ELSEWHERE = {
    "make test",
    "make lint",
    "make bench",
    "make chaos POINTS=4",
    "make attack",
    "make environments",
    "make environments-down",
    "make release-demo",
    "make example NAME=automl-container",
    "make example-down NAME=automl-container",
    "make kubernetes",
    "make kubernetes-down",
}
LOCAL = [command for command in commands() if not command.azure]
# These need environments, which test_environments.py brings up.
ENVIRONMENTS = "--cwd .amlite/environments"


def test_commands_in_their_order(platform: Platform) -> None:
    shown = [each for each in LOCAL if each.text not in ELSEWHERE | ENDING and ENVIRONMENTS not in each.text]
    assert len(shown) > 10
    for command in dict.fromkeys(shown):
        printed = platform.run(command.text)
        if command.text == "make preview":
            assert "No changes." in printed
        elif command == Command("README.md", "make up", azure=False):
            assert "no changes" in printed  # the fixture's `make up` has done everything
        elif "release score" in command.text or "curl" in command.text:
            assert '"delay_probability"' in printed, command
        elif "gate_overrides=roc_auc.minimum=0.99" in command.text:
            assert "The gate refused the model" in printed
        elif "MLClient" in command.text:
            assert "'evaluate'" in printed


@pytest.mark.parametrize("command", [Command("", text, False) for text in sorted(ELSEWHERE)], ids=lambda c: c.text)
def test_commands_that_run_elsewhere_are_known(platform: Platform, command: Command) -> None:
    platform.run(f"make --dry-run {command.text.partition(' ')[2]}")
    assert command in {Command("", shown.text, False) for shown in LOCAL}
