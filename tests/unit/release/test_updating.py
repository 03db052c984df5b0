"""An update replaces renamed resources only if that is wanted, keeps its reason, and completes an interrupted one."""

from __future__ import annotations

import copy
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import click
import pytest

from infra import azure_names
from release.engine import Changes
from release.errors import ExistingError, PassingError, ReleaseError, RenamedError
from release.terminal.console import new_console
from release.updating import attempts, interruption
from release.updating.update import update

CONSOLE = new_console()


@pytest.mark.parametrize(("is_terminal", "option"), [(True, False), (False, False), (False, True)])
def test_an_update_asks_before_it_replaces_what_got_another_name(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, option: bool
) -> None:
    done: list[str] = []

    def up(_progress: object, *, at_once: bool, why: str | None, replace_renamed: bool = False) -> Changes:
        assert (at_once, why) == (True, "a reason")
        done.append(f"up {replace_renamed}")
        if not replace_renamed:
            raise RenamedError("stack 'dev': the workspace would be replaced")
        return Changes()

    target: Any = SimpleNamespace(
        name="dev", state=dict, up=up, recovered=lambda: False, preview=lambda _: done.append("preview")
    )
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: is_terminal))
    monkeypatch.setattr(click, "confirm", lambda text, abort: done.append(f"{text} {abort}"))
    if not is_terminal and not option:
        with pytest.raises(ReleaseError, match=r"would be replaced\n  fix: .* --replace-renamed"):
            update(target, CONSOLE, at_once=True, why="a reason")
        assert done == ["preview", "up False"]
        return
    update(target, CONSOLE, replace_renamed=option, at_once=True, why="a reason")
    asked = [] if option else ["Replace these resources, and lose everything in them? True"]
    assert done == ["preview", "up False", *asked, "up True"]


def test_the_second_update_of_a_recovered_vault_has_the_reason_of_the_first() -> None:
    asked: list[tuple[bool, str | None]] = []

    def up(_progress: object, *, at_once: bool, why: str | None) -> Changes:
        asked.append((at_once, why))
        return Changes(summary={"update": 1})

    target: Any = SimpleNamespace(name="dev", state=dict, up=up, recovered=lambda: True, preview=lambda _: None)
    update(target, CONSOLE, at_once=True, why="a reason")
    assert asked == [(True, "a reason")] * 2


_URN = "urn:pulumi:dev::platform::azure-native:"
GROUP, ACCOUNT, VAULT = f"{_URN}Group::g", f"{_URN}Account::a", f"{_URN}Vault::v"
GROUP_ID = "/subscriptions/s/resourceGroups/g"
ACCOUNT_ID = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/a"


class CutOff:
    """A stack whose last update was killed while it created an account, which Azure had accepted, and a vault."""

    name = "dev"

    def __init__(self, provisioning: list[str]) -> None:
        began = [
            {"type": "creating", "resource": {"urn": urn, "inputs": {"name": urn[-1]}}} for urn in (ACCOUNT, VAULT)
        ]
        self.kept: dict[str, Any] = {"resources": [{"urn": GROUP, "id": "/g"}], "pending_operations": began}
        self.provisioning = provisioning
        self.done: list[str] = []

    def state(self) -> dict[str, Any]:
        return copy.deepcopy(self.kept)

    def resources(self) -> list[dict[str, Any]]:
        resources: list[dict[str, Any]] = self.kept["resources"]
        return resources

    @contextmanager
    def edited_state(self, _on_event: object) -> Iterator[dict[str, Any]]:
        yield self.kept

    def refresh(self, urns: list[str], _on_event: object) -> None:
        self.done.append("refresh")
        for each in self.resources():
            if each["urn"] in urns:
                each["outputs"] = {"provisioningState": self.provisioning.pop(0)}

    def preview(self, _on_event: object) -> None:
        self.done.append("preview")

    def up(self, _progress: object, *, at_once: bool, why: str | None, keep_going: bool = False) -> Changes:
        self.done.append("up on" if keep_going else "up")
        known = {each["urn"]: each for each in self.resources()}
        if ACCOUNT not in known:
            wanted = {ACCOUNT: {"urn": ACCOUNT, "inputs": {"name": "a"}}}
            raise ExistingError("stack 'dev': cannot create already existing resource", {ACCOUNT: ACCOUNT_ID}, wanted)
        known[ACCOUNT].pop("initErrors", None)
        self.resources().append({"urn": VAULT, "id": "/v"})
        return Changes(summary={"create": 1})

    def recovered(self) -> bool:
        return False

    def tags(self) -> dict[str, str]:
        return {"project": "platform", "stack": "dev"}


@pytest.mark.parametrize("last", ["Succeeded", "Failed"])
def test_what_a_killed_update_had_begun_to_create_is_taken_over(last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption.time, "sleep", lambda _: None)
    target: Any = CutOff(["Creating", "Accepted", last])
    text = io.StringIO()
    update(target, new_console(text))
    assert target.done == ["preview", "up on", "refresh", "refresh", "refresh", "up on"]
    assert {each["urn"]: each["id"] for each in target.resources()} == {GROUP: "/g", ACCOUNT: ACCOUNT_ID, VAULT: "/v"}
    assert target.kept["pending_operations"] == []
    assert "an earlier update had begun to create a; taking over what Azure has" in " ".join(text.getvalue().split())


def test_what_a_killed_provider_had_begun_to_create_is_known_by_its_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine removes such a creation from the pending operations."""
    tags = {"project": "platform", "stack": "dev", "team": "weather"}
    monkeypatch.setattr(azure_names, "tags_in", lambda group: {ACCOUNT_ID.lower(): tags} if group == GROUP_ID else {})
    target: Any = CutOff(["Succeeded"])
    target.kept["pending_operations"] = []
    update(target, CONSOLE)
    assert target.done == ["preview", "up", "refresh", "up"]
    assert {each["urn"]: each["id"] for each in target.resources()} == {GROUP: "/g", ACCOUNT: ACCOUNT_ID, VAULT: "/v"}


@pytest.mark.parametrize("tags", [{}, {"project": "platform"}, {"project": "platform", "stack": "prod"}])
def test_a_resource_of_another_owner_is_never_taken_over(tags: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_names, "tags_in", lambda _: {ACCOUNT_ID.lower(): tags})
    target: Any = CutOff([])
    target.kept["pending_operations"] = target.kept["pending_operations"][1:]
    with pytest.raises(ExistingError, match="cannot create already existing resource"):
        update(target, CONSOLE)
    assert target.done == ["preview", "up on"]


def test_a_resource_whose_interrupted_creation_failed_in_azure_is_repaired_by_the_next_update() -> None:
    target: Any = CutOff(["Failed"])
    interruption.take_over(target, {ACCOUNT: ACCOUNT_ID}, {}, print)
    assert target.resources()[-1]["initErrors"] == ["its creation was interrupted, and failed in Azure"]
    assert [each["resource"]["urn"] for each in target.kept["pending_operations"]] == [VAULT]


def test_a_destruction_finds_what_lies_outside_of_the_resource_group() -> None:
    begun = [
        ("azure-native:resources:ResourceGroup", {"resourceGroupName": "g"}),
        ("azure-native:authorization:RoleAssignment", {"scope": "/subscriptions/s", "roleAssignmentName": "n"}),
        ("azure-native:authorization:RoleDefinition", {"scope": "/subscriptions/s", "roleDefinitionId": "d"}),
        ("azure-native:storage:StorageAccount", {"accountName": "a"}),
    ]
    pending = [
        {"type": "creating", "resource": {"urn": kind.rpartition(":")[2], "type": kind, "inputs": inputs}}
        for kind, inputs in begun
    ]
    # A later update created this one.
    created = {"urn": "Other", "type": "azure-native:resources:ResourceGroup", "inputs": {"resourceGroupName": "o"}}
    state = {"pending_operations": [*pending, {"type": "creating", "resource": created}], "resources": [created]}
    target: Any = SimpleNamespace(state=lambda: state, subscription=lambda: "s")
    assert interruption.outside_ids(target) == {
        "ResourceGroup": "/subscriptions/s/resourceGroups/g",
        "RoleAssignment": "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/n",
        "RoleDefinition": "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/d",
    }


@pytest.mark.parametrize("failures", [2, 8])
def test_a_run_that_azure_failed_is_repeated_so_many_times_and_told(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    done: list[str] = []

    def run(again: bool) -> str:
        assert again is bool(done)
        done.append("run")
        if len(done) <= failures:
            raise PassingError("stack 'dev': InternalServerError: The service stumbled.\nmore")
        return "updated"

    text = io.StringIO()
    if failures == 8:
        with pytest.raises(PassingError):
            attempts.persistently(new_console(text), run)
        assert (len(done), sum(waited)) == (8, 245)
    else:
        assert attempts.persistently(new_console(text), run) == "updated"
        assert waited == [5, 10]
    assert "attempt 1 of 8 failed: stack 'dev': InternalServerError: The service stumbled." in text.getvalue()
    assert "trying again in 5 s" in text.getvalue()
