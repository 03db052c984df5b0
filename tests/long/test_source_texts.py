"""Every command of docs/source-texts.md, one text after another, each in a clone of its own.

Rows with `make test` name tests that exist for themselves, and so does the demo of releases. They are not repeated.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from amlite.testing import LocalAzure
from tests import azure_cli
from tests.checkout import ROOT, Checkout, checkout

PAGE = ROOT / "docs" / "source-texts.md"
SECONDS = 2700
_CELL = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"`([^`]+)`")
_PROGRAMS = ("az ", "export ", "ls ", "make preview", "make up TRAIN=no", "pulumi ", "python ", "release ", ".venv")
# Commands that are run by other tests: a page that serves until it is ended, and one that takes a cluster of its own.
ELSEWHERE = {"python examples/tacos-burritos/page.py": "test_example_tacos_burritos.py"}
# How a command ends and what it prints, where that is not 0 and anything.
ENDS = {
    "pulumi preview -s dev": (1, "cluster.userPool.vmSize"),
    "release train --stack local --input gate_overrides": (0, "roc_auc"),
    # The newest training repeats the one before it.
    "release gate": (1, "less than the margin"),
}
_PIP = ".venv/bin/uv pip install --python .venv-kubeflow/bin/python"
_COPY = "azureml-platform:overrides.endpoints.auto-flight-delay.copyOf"


@dataclass(frozen=True)
class Text:
    """A source text: the example that it became, or the main project, and what its page says to do before."""

    number: int
    example: str = ""
    before: tuple[str, ...] = field(default=())
    up_again: bool = False

    @property
    def commands(self) -> list[str]:
        """The commands in the table of this text, in its order and once each."""
        section = PAGE.read_text("utf-8").split(f"<summary>Text {self.number}: ")[1].split("</details>")[0]
        cells = [_CELL.split(line)[2] for line in section.splitlines() if line.startswith("|")]
        found = [code for cell in cells for code in _CODE.findall(cell) if code.startswith(_PROGRAMS)]
        return list(dict.fromkeys(found))


TEXTS = (
    Text(1, "automl-container"),
    Text(
        2,
        "tacos-burritos",
        before=(".venv/bin/uv venv .venv-kubeflow", f"{_PIP} -r examples/tacos-burritos/kubeflow/requirements.txt"),
    ),
    Text(3),
    Text(4, "custom-images"),
    Text(
        5,
        before=(
            "pulumi config set --path azureml-platform:sharing.registry mlops-flights-shared -s local",
            "pulumi config set --path azureml-platform:sharing.create true -s local",
            f"pulumi config set --path {_COPY} flight-delay -s local",
        ),
        up_again=True,
    ),
)


@pytest.mark.parametrize("text", TEXTS, ids=[f"text {each.number}" for each in TEXTS])
def test_every_command_of_the_table_does_what_it_says(text: Text, tmp_path: Path) -> None:
    assert text.commands
    with checkout(tmp_path / "clone") as clone:
        up, down = "make up", "make down"
        if text.example:
            up, down = f"make example NAME={text.example}", f"make example-down NAME={text.example}"
        clone.run(up, seconds=SECONDS)
        shell = _shell(clone, text)
        file = clone.state / "examples" / text.example / "Pulumi.dev.yaml"
        before = file.read_bytes() if text.example else b""
        for command in text.before:
            shell.run(command)
        if text.up_again:
            clone.run(up, seconds=SECONDS)
        failed = [said for command in text.commands if (said := _failure(shell, command))]
        assert failed == [], "\n\n".join(failed)
        if text.example:
            file.write_bytes(before)  # without what its commands configured
        clone.run(down, seconds=SECONDS)
        assert clone.leftovers() == []


def _shell(clone: Checkout, text: Text) -> Checkout:
    """Return the clone, in a shell that is signed in to its local Azure and has the Azure CLI."""
    environment = LocalAzure(clone.state).environment(clone.environment)
    folders = [str(clone.root / ".venv" / "bin"), str(azure_cli.installed()), environment["PATH"]]
    own = {
        "PATH": os.pathsep.join(folders),
        "AZURE_CONFIG_DIR": str(clone.state / "az"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "PULUMI_OPTION_NON_INTERACTIVE": "true",
    }
    if text.example:
        own["PULUMI_OPTION_CWD"] = str(clone.state / "examples" / text.example)
    shell = Checkout(clone.root, {**environment, **own})
    shell.run(
        'az login --service-principal --username "$AZURE_CLIENT_ID" --password "$AZURE_CLIENT_SECRET" '
        '--tenant "$AZURE_TENANT_ID"'
    )
    return shell


def _filled(shell: Checkout, command: str) -> str:
    """Return a command with the newest jobs in place of `<job>`."""
    if "<job>" not in command:
        return command
    for job in json.loads(shell.run("release jobs --stack local --pipeline training --output json 2>/dev/null")):
        command = command.replace("<job>", job["job"], 1)
    return command


def _failure(shell: Checkout, command: str) -> str:
    """Run a command. Return what is wrong, or nothing."""
    if any(command.startswith(each) for each in ELSEWHERE):
        return ""
    expect, text = next((ends for start, ends in ENDS.items() if command.startswith(start)), (0, ""))
    try:
        printed = shell.run(_filled(shell, command), expect)
    except AssertionError as error:
        return str(error)
    print(f"{command}\n    {' '.join(printed.split())[:160]}")
    return "" if text in printed and "Traceback" not in printed else f"{command}\n{printed}"
