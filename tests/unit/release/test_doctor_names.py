"""The findings of `release doctor` about names that are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra import availability
from infra.availability import Answers
from infra.azure_names import DeletedVault
from release.doctor.checks import names
from release.doctor.findings import Level
from tests.unit.release.examined import SUBSCRIPTION, FakeSubject, levels, only


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Azure says, which a test changes, and for which names."""
    told: dict[str, Any] = {"answers": Answers()}

    def ask(wanted: availability.WantedNames) -> Answers:
        told["wanted"] = wanted
        return told["answers"]  # type: ignore[no-any-return]

    monkeypatch.setattr(availability, "ask", ask)
    monkeypatch.setattr(names, "endpoints_elsewhere", lambda *_: told.get("endpoints", {}))
    return told


def test_free_names(subject: FakeSubject, answers: dict[str, Any]) -> None:
    assert levels(names.check(subject)) == {Level.OK}
    assert answers["wanted"].names.storage_account == "stmlopsflightstest001"
    assert answers["wanted"].subscription_id == SUBSCRIPTION
    assert answers["wanted"].tags["stack"] == "test"


def test_a_taken_name(subject: FakeSubject, answers: dict[str, Any]) -> None:
    answers["answers"] = Answers(["  storage account st1: The name is taken.\n      fix: another postfix"])
    found = only(names.check(subject), Level.PROBLEM)
    assert (found.what, found.fix) == ("storage account st1: The name is taken.", "another postfix")


def test_names_that_cannot_be_looked_up(subject: FakeSubject, answers: dict[str, Any]) -> None:
    answers["answers"] = Answers(unchecked=["Cannot check with Azure whether the name of the workspace is free"])
    assert "Cannot check" in only(names.check(subject), Level.WARNING).why


def test_a_vault_that_comes_back(subject: FakeSubject, answers: dict[str, Any]) -> None:
    answers["answers"] = Answers(
        recoverable=DeletedVault(
            id="/vaults/kv1", location="westeurope", purge_date="2026-12-01", purge_protection=False
        )
    )
    assert "recovers the soft-deleted key vault kv1" in only(names.check(subject), Level.OK).what
