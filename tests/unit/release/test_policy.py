"""The rules in the release: the resources of a preview, what is printed, and what stops an update."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from pulumi.automation import events

from policy.environments import Exemption, PolicyError
from policy.examination import Finding
from release.cli import main
from release.engine import Changes
from release.errors import ReleaseError
from release.planned import PlannedResource, PlannedResources
from release.policy import check
from release.policy.findings import show
from release.project import CWD_VARIABLE
from release.stack import PulumiStack
from release.terminal.console import new_console
from release.updating.update import update

STORAGE = "azure-native:storage:StorageAccount"
TAGS = {"project": "p", "stack": "dev", "cost-centre": "c"}
FITTING = {"allowSharedKeyAccess": False, "minimumTlsVersion": "TLS1_2", "tags": TAGS}
BROKEN = {**FITTING, "allowSharedKeyAccess": True}
EXEMPTION = Exemption(
    rule="storage-shared-key", resource="storage", reason="an old client", owner="platform", expires=date(2027, 3, 31)
)


def event(operation: str, old: Any = None, new: Any = None, name: str = "storage") -> events.EngineEvent:
    metadata = {
        "op": operation,
        "urn": f"urn:pulumi:dev::azureml-platform::{STORAGE}::{name}",
        "type": STORAGE,
        "old": None if old is None else {"inputs": old},
        "new": None if new is None else {"inputs": new, "protect": True},
    }
    return events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "resourcePreEvent": {"metadata": metadata}})


def planned(*received: events.EngineEvent) -> list[PlannedResource]:
    made = PlannedResources()
    for each in received:
        made(each)
    return made.resources


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  app:name: flights\n")
    monkeypatch.setenv(CWD_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def previewed(monkeypatch: pytest.MonkeyPatch) -> list[events.EngineEvent]:
    """The events of the preview that commands see."""
    seen: list[events.EngineEvent] = []
    monkeypatch.setattr(PulumiStack, "__init__", lambda self, name, **_: setattr(self, "name", name))
    monkeypatch.setattr(PulumiStack, "preview", lambda _self, note, **_: [note(each) for each in seen])
    return seen


@pytest.mark.attack
@pytest.mark.parametrize("key", ["minimumTlsVersion", "allowSharedKeyAccess"])
def test_no_value_passes_because_it_is_a_secret(key: str) -> None:
    """The engine masks a secret in its events, and Azure gets it."""
    hidden = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
    found = check.examined("dev", planned(event("create", new={**FITTING, key: hidden})))
    assert [each.problem for each in found] == [f"{key} is a Pulumi secret, so the rule cannot read it"]
    assert found[0].refuses


def test_a_preview_has_every_resource_before_and_after() -> None:
    found = planned(
        event("same", {"a": 1}, {"a": 1}), event("create", None, {"a": 2}, "new"),
        event("delete", {"a": 3}, None, "old"), event("replace", {"a": 4}, {"a": 5}, "moved"),
        event("create-replacement", None, {"a": 5}, "moved"), event("delete-replaced", {"a": 4}, None, "moved"),
        event("refresh", {"a": 6}, {"a": 6}, "read"),
    )  # fmt: skip
    assert [(each.name, each.before, each.after) for each in found] == [
        ("storage", {"a": 1}, {"a": 1}),
        ("new", None, {"a": 2}),
        ("old", {"a": 3}, None),
        ("moved", {"a": 4}, {"a": 5}),
    ]
    assert [each.protected for each in found] == [True, True, False, True]


def test_what_is_deleted_breaks_no_rule() -> None:
    assert check.examined("dev", planned(event("delete", BROKEN, None))) == []


def test_a_mandatory_rule_stops_with_rule_resource_and_fix() -> None:
    found = check.examined("dev", planned(event("same", BROKEN, BROKEN)))
    with pytest.raises(ReleaseError) as caught:
        check.refuse("dev", found)
    assert caught.value.message.splitlines() == [
        "stack 'dev' breaks a mandatory rule. Nothing was changed.",
        "  storage-shared-key: storage: allowSharedKeyAccess is not false",
        "      fix: set storage.sharedKeyAccess to false",
    ]


def printed(found: list[Finding]) -> list[str]:
    text = io.StringIO()
    show(new_console(text), check.part(found))
    return text.getvalue().splitlines()


def test_an_exception_is_shown_with_its_owner_and_does_not_stop() -> None:
    found = [Finding("storage-shared-key", "mandatory", "storage", "it is on", "why", "how", EXEMPTION)]
    check.refuse("dev", found)
    assert printed(found) == [
        "advisory storage-shared-key: storage: it is on. platform allows it until 2027-03-31: an old client",
        "      fix: how",
    ]


def test_a_finding_is_shown_with_its_reason_and_fix() -> None:
    found = [Finding("idle-time", "advisory", "cluster [a]", "2 h", "It costs.", "wait less")]
    assert printed(found) == ["advisory idle-time: cluster [a]: 2 h. It costs.", "      fix: wait less"]


def test_wrong_settings_of_the_rules_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> None:
        raise PolicyError("policy/exceptions.yml is wrong")

    monkeypatch.setattr(check.Policy, "of", wrong)
    with pytest.raises(ReleaseError, match=r"policy/exceptions\.yml is wrong"):
        check.examined("dev", [])


def test_the_command_prints_findings_as_json_and_fails_for_a_mandatory_rule(
    previewed: list[events.EngineEvent],
) -> None:
    previewed.append(event("create", None, BROKEN))
    done = CliRunner().invoke(main, ["policy", "-s", "dev", "--output", "json"])
    report = json.loads(done.stdout)
    assert (done.exit_code, report["stack"], report["findings"][0]["rule"]) == (1, "dev", "storage-shared-key")
    previewed[:] = [event("create", None, FITTING)]
    done = CliRunner().invoke(main, ["policy", "-s", "dev"])
    assert (done.exit_code, done.stdout) == (0, "No rule is broken.\n")


def test_a_preview_has_the_findings_and_fails_after_it_has_printed_them(previewed: list[events.EngineEvent]) -> None:
    previewed.append(event("create", None, BROKEN))
    done = CliRunner().invoke(main, ["preview", "-s", "dev", "--output", "json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, len(document["changes"])) == (1, 1)
    assert [each["rule"] for each in document["policy"]] == ["storage-shared-key"]
    previewed[:] = [event("create", None, FITTING)]
    done = CliRunner().invoke(main, ["preview", "-s", "dev", "--output", "json"])
    assert (done.exit_code, json.loads(done.stdout)["policy"]) == (0, [])


@pytest.mark.parametrize("inputs", [BROKEN, FITTING])
def test_an_update_stops_before_it_changes_anything(inputs: dict[str, Any]) -> None:
    done: list[str] = []

    def up(_progress: object, **_: Any) -> Changes:
        done.append("up")
        return Changes()

    target: Any = SimpleNamespace(
        name="dev", state=dict, up=up, recovered=lambda: False,
        preview=lambda note: note(event("create", None, inputs)),
    )  # fmt: skip
    if inputs is FITTING:
        update(target, new_console(io.StringIO()))
        assert done == ["up"]
        return
    with pytest.raises(ReleaseError, match="storage-shared-key"):
        update(target, new_console(io.StringIO()))
    assert done == []
