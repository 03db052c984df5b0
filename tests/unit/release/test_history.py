"""What served where, from the updates in Pulumi's history."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from pulumi.automation import UpdateSummary

from release import cli, documentation
from release.history import command
from release.history.reason import Reason
from release.history.served import served
from release.project import ROOT

REASON = Reason("Deploy delays version 4", approved_by="Jane Doe", deployed_by="octo", commit="c0ffee", job="busy_rain")


def update(
    minute: int, models: Any, *, result: str = "succeeded", kind: str = "update", message: str = "a commit"
) -> UpdateSummary:
    value = json.dumps(models)
    config = {"azureml-platform:models": {"value": value, "secret": False}} if models is not None else {}
    environment = {"git.head": f"head{minute}", "git.author": "Ann"}
    at = datetime(2026, 11, 28, 9, minute)  # noqa: DTZ001 - Pulumi's history has UTC times without a zone
    return UpdateSummary(kind, at, message, environment, config, result, end_time=at, version=0)


def version(number: Any, registry: str | None = None) -> dict[str, Any]:
    return {"name": "delays", "version": number, **({"registry": registry} if registry else {})}


def test_a_reason_survives_the_message_and_other_messages_have_only_a_title() -> None:
    assert REASON.message.splitlines() == [
        "Deploy delays version 4", "", "Commit: c0ffee", "Training-job: busy_rain", "Deployed-by: octo",
        "Approved-by: Jane Doe",
    ]  # fmt: skip
    assert Reason.read(REASON.message) == REASON
    assert Reason.read(Reason("a").message) == Reason("a")
    assert Reason.read("Fix the tags (#7)\n\nSigned-off-by: Ann") == Reason("Fix the tags (#7)")
    assert Reason.read("") == Reason("")
    forged = Reason("Deploy", approved_by="Eve\nCommit: 0")
    assert Reason.read(forged.message) == Reason("Deploy", approved_by="Eve Commit: 0")


def test_each_version_has_its_time_commit_and_approval() -> None:
    updates = [
        update(0, None),
        update(1, {"flights": version(3)}),
        update(2, {"flights": version(3)}),
        update(3, {"flights": version(4, "mlops")}, message=REASON.message),
    ]
    first, second = served(reversed(updates))
    assert (first.version, first.registry, first.result) == ("3", None, "served")
    assert (first.since.minute, first.until and first.until.minute) == (1, 3)
    assert (first.commit, first.approved_by, first.deployed_by, first.title) == ("head1", None, "Ann", "a commit")
    assert (second.version, second.registry, second.result, second.until) == ("4", "mlops", "serving", None)
    assert (second.commit, second.job) == ("head3", "busy_rain")
    assert (second.approved_by, second.deployed_by) == ("Jane Doe", "octo")


def test_a_failed_update_is_an_attempt_and_the_version_of_before_serves() -> None:
    updates = [
        update(1, {"flights": version(3)}),
        update(2, {"flights": version(4)}, result="failed"),
        update(3, {"flights": version(3)}, kind="refresh"),
        update(4, {"flights": version(3)}),
    ]
    assert [(each.version, each.result) for each in served(reversed(updates))] == [("3", "serving"), ("4", "failed")]


def test_an_endpoint_that_lost_its_model_or_its_stack_serves_nothing() -> None:
    both = {"flights": "azureml:delays:3", "trains": "azureml://registries/mlops/models/delays/versions/3"}
    updates = [update(1, both), update(2, {"trains": both["trains"]}), update(3, None, kind="destroy")]
    entries = served(reversed(updates))
    assert [(each.endpoint, each.registry, each.until and each.until.minute) for each in entries] == [
        ("flights", None, 2), ("trains", "mlops", 3),
    ]  # fmt: skip


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    updates = [update(2, {"flights": version(4)}, message=REASON.message), update(1, {"trains": version("1.10")})]
    monkeypatch.setattr(command, "PulumiStack", lambda _name, **_: SimpleNamespace(history=lambda: updates))


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli.main, ["history", "-s", "prod", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.usefixtures("stack")
def test_the_table_shows_one_line_for_each_and_can_show_one_endpoint() -> None:
    lines = run().splitlines()
    assert len(lines) == 3
    assert "trains    delays version 1.10  served" in lines[1]
    assert lines[2].split() == [
        "2026-11-28", "09:02:00", "flights", "delays", "version", "4", "serving", "head2", "Jane", "Doe", "octo",
    ]  # fmt: skip
    assert len(run("--endpoint", "trains").splitlines()) == 2
    assert run("--endpoint", "ships") == "Stack prod has served no model at endpoint ships.\n"


@pytest.mark.usefixtures("stack")
def test_the_json_fits_its_schema() -> None:
    found = json.loads(run("--output", "json"))
    assert (found["history_version"], found["stack"], len(found["entries"])) == (1, "prod", 2)
    text = (ROOT / "docs" / "history.schema.json").read_text("utf-8")
    assert text == documentation.history_schema(), "run `python -m release.documentation`"
    jsonschema.validate(found, json.loads(text), jsonschema.Draft202012Validator)
