"""What a user sees of mistakes at the command line: one message with the fix, and no traceback."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import click
import pytest
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from click.testing import CliRunner

from release import cli
from release.assets.definitions import Found
from release.errors import ReleaseError, RenamedError
from release.stack import Changes

ENDPOINTS = {"flights": SimpleNamespace(kind="online"), "nightly": SimpleNamespace(kind="batch")}


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every stack be deployed, with an online and a batch endpoint."""
    outputs = SimpleNamespace(endpoints=ENDPOINTS)
    monkeypatch.setattr(cli, "PulumiStack", lambda _name: SimpleNamespace(deployed=lambda: outputs))


def printed(*arguments: str) -> str:
    """Return the output of a command that fails without a traceback."""
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    return done.output


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
    def refuse(**_: str) -> Any:
        raise error

    monkeypatch.setattr(cli, "client", lambda _outputs: SimpleNamespace(jobs=SimpleNamespace(list=refuse)))
    assert printed("logs", "-s", "dev", "calm-sun").startswith(f"Error: {message}")


def test_an_adopted_endpoint_keeps_its_name_in_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the setting, the update would create another endpoint with a name by the rule."""
    found = Found("online_endpoint", "scores", files={"ml/deploy/scores/endpoint.yml": "name: scores\n"})
    component = Found("component", "prep", files={"ml/prep/component.yml": "name: prep\n"})
    monkeypatch.setattr(cli, "connect", lambda _place: None)
    monkeypatch.setattr(cli.adoption, "survey", lambda *_: [found, component])
    monkeypatch.setattr(cli.adoption, "write", lambda _ml, _root, each: list(each.files))
    monkeypatch.setattr(cli.adoption, "settle", lambda _root, _written: [])
    place = ("--subscription", "s", "--resource-group", "g", "--workspace", "w")
    done = CliRunner().invoke(cli.main, ["adopt", "-s", "dev", *place])
    assert done.output.splitlines()[-3:] == [
        "  pulumi config set --path azureml-platform:assets.adopt true -s dev",
        "  pulumi config set --path azureml-platform:naming.endpoints.scores scores -s dev",
        "  pulumi up -s dev",
    ]


@pytest.mark.parametrize(("is_terminal", "option"), [(True, False), (False, False), (False, True)])
def test_an_update_asks_before_it_replaces_what_got_another_name(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, option: bool
) -> None:
    done: list[str] = []

    def up(_progress: object, *, replace_renamed: bool = False) -> Changes:
        done.append(f"up {replace_renamed}")
        if not replace_renamed:
            raise RenamedError("stack 'dev': the workspace would be replaced")
        return Changes()

    target: Any = SimpleNamespace(
        name="dev", interrupted=list, up=up, recovered=lambda: False, preview=lambda _: done.append("preview")
    )
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: is_terminal))
    monkeypatch.setattr(click, "confirm", lambda text, abort: done.append(f"{text} {abort}"))
    if not is_terminal and not option:
        with pytest.raises(ReleaseError, match=r"would be replaced\n  fix: .* --replace-renamed"):
            cli._update(target)
        assert done == ["up False"]
        return
    cli._update(target, replace_renamed=option)
    asked = [] if option else ["Replace these resources, and lose everything in them? True"]
    assert done == ["up False", *asked, "preview", "up True"]


def test_an_input_without_a_value_is_refused_by_its_text() -> None:
    assert printed("train", "-s", "dev", "--input", "rate") == "Error: --input 'rate' must have the form NAME=VALUE\n"
