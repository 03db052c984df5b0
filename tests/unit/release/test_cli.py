"""What a user sees of mistakes at the command line: one message with the fix, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from click.testing import CliRunner

from release import cli
from release.assets import command as assets
from release.assets.definitions import Found
from release.errors import ReleaseError
from release.jobs import command as jobs
from release.jobs import records
from release.preview import command as previewing
from release.preview.document import Preview
from release.preview.plan import Plan
from release.scoring import command as scoring
from release.training import command as training
from tests.unit.release import comment_example

ENDPOINTS = {"flights": SimpleNamespace(kind="online"), "nightly": SimpleNamespace(kind="batch")}


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every stack be deployed, with an online and a batch endpoint."""
    outputs = SimpleNamespace(endpoints=ENDPOINTS, workspace_id="/w")
    for command in (jobs, scoring, training):
        monkeypatch.setattr(command, "PulumiStack", lambda _name: SimpleNamespace(deployed=lambda: outputs))


def printed(*arguments: str) -> str:
    """Return the output of a command that fails without a traceback."""
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    return done.output


def test_release_finds_the_pulumi_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.venv/bin/release`, as the README types it, in a shell whose PATH does not have the folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    printed("train", "-s", "dev", "--input", "rate")
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}{tmp_path}"


def test_pulumi_is_found_in_every_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative folder on the PATH is another one in the folder of the stack files, where Pulumi runs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/pulumi").touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin")
    CliRunner().invoke(cli.main, ["history", "--help"])
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}bin"


@pytest.mark.parametrize("command", ["score", "key"])
@pytest.mark.parametrize("endpoint", ["elsewhere", "nightly"])
def test_an_endpoint_that_is_not_online_is_refused_with_those_that_are(command: str, endpoint: str) -> None:
    message = f"Error: the stack has no online endpoint '{endpoint}'; it has: flights\n"
    assert printed(command, "-s", "dev", endpoint) == message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ResourceNotFoundError("no such run"), "the workspace has no job 'calm-sun'\n  fix: use a name that"),
        (HttpResponseError("(Forbidden) No.\nCode: Forbidden"), "a request to Azure failed: (Forbidden) No.\n"),
    ],
)
def test_an_error_of_azure_is_one_message(monkeypatch: pytest.MonkeyPatch, error: AzureError, message: str) -> None:
    def refuse(*_: str) -> Any:
        raise error

    monkeypatch.setattr(records, "send", refuse)
    assert printed("logs", "-s", "dev", "calm-sun").startswith(f"Error: {message}")


def test_an_adopted_endpoint_keeps_its_name_in_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the setting, the update would create another endpoint with a name by the rule."""
    found = Found("online_endpoint", "scores", files={"ml/deploy/scores/endpoint.yml": "name: scores\n"})
    component = Found("component", "prep", files={"ml/prep/component.yml": "name: prep\n"})
    monkeypatch.setattr(assets, "connect", lambda _place: None)
    monkeypatch.setattr(assets.adoption, "survey", lambda *_: [found, component])
    monkeypatch.setattr(assets.adoption, "write", lambda _ml, _root, each: list(each.files))
    monkeypatch.setattr(assets.adoption, "settle", lambda _root, _written: [])
    place = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")
    done = CliRunner().invoke(cli.main, ["adopt", "-s", "dev", *place])
    assert done.output.splitlines()[-3:] == [
        "  pulumi config set --path azureml-platform:assets.adopt true -s dev",
        "  pulumi config set --path azureml-platform:naming.endpoints.scores scores -s dev",
        "  pulumi up -s dev",
    ]


def test_an_input_without_a_value_is_refused_by_its_text() -> None:
    assert printed("train", "-s", "dev", "--input", "rate") == "Error: --input 'rate' must have the form NAME=VALUE\n"


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_preview_that_should_be_empty_fails_after_what_it_shows(monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    document = comment_example.dev()

    class Planned(Plan):
        def document(self, stack: str, failure: ReleaseError | None = None) -> Preview:
            return document

    monkeypatch.setattr(previewing, "Plan", Planned)
    monkeypatch.setattr(previewing.check, "examined", lambda _stack, _planned: [])
    engine = SimpleNamespace(preview=lambda _plan, refresh: None)
    monkeypatch.setattr(previewing, "PulumiStack", lambda _name, create: engine)
    arguments = ("preview", "-s", "dev", "--output", output, "--expect-no-changes")
    message = f"Error: stack 'dev' was expected not to change, and {len(document.changes)} resources would\n"
    assert printed(*arguments).endswith(message)
    document.changes.clear()
    assert CliRunner().invoke(cli.main, arguments).exit_code == 0


def test_each_command_is_found_by_its_name() -> None:
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_a_command_imports_no_other() -> None:
    """A command waits for its imports, each time."""
    run = "cli.main(['history', '--help'], standalone_mode=False)"
    code = f"import sys; from release import cli; {run}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "release.history.command" in loaded
    assert [name for name in loaded if name.endswith(".command")] == ["release.history.command"]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As with nohup."""
    code = (
        "import os, signal, click; from release import cli\n"
        "@click.command()\n"
        "def wait(): os.kill(os.getpid(), signal.SIGHUP)\n"
        "cli.main.get_command = lambda *_: wait\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); cli.main(['up'])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
