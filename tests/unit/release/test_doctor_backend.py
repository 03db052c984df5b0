"""The findings of `release doctor` about Pulumi's backend and the stack's secrets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from release.doctor.checks import backend
from release.doctor.findings import Level
from tests.unit.release.examined import FakeSubject, levels, only


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


@pytest.fixture(autouse=True)
def whoami(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Pulumi's answer, which a test changes."""
    answer: dict[str, Any] = {"code": 0, "url": "azblob://state", "said": ""}

    def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        out = json.dumps({"user": "me", "url": answer["url"]})
        return subprocess.CompletedProcess(arguments, answer["code"], out, answer["said"])

    monkeypatch.setattr(subprocess, "run", run)
    return answer


def test_a_backend_that_keeps_the_state(subject: FakeSubject) -> None:
    subject.environment = {"PULUMI_CONFIG_PASSPHRASE": ""}
    assert levels(backend.check(subject)) == {Level.OK}


def test_nobody_is_logged_in(subject: FakeSubject, whoami: dict[str, Any]) -> None:
    whoami |= {"code": 255, "said": "error: PULUMI_ACCESS_TOKEN must be set\nmore"}
    found = only(backend.check(subject), Level.PROBLEM)
    assert found.why == "PULUMI_ACCESS_TOKEN must be set"
    assert found.fix.startswith("pulumi login")


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "TF_BUILD"])
def test_a_file_in_ci(name: str, subject: FakeSubject, whoami: dict[str, Any]) -> None:
    whoami["url"] = "file://~"
    subject.environment = {name: "true", "PULUMI_CONFIG_PASSPHRASE": "x"}
    assert "The state is gone when the job ends" in only(backend.check(subject), Level.WARNING).why


def test_no_passphrase(subject: FakeSubject) -> None:
    assert "PULUMI_CONFIG_PASSPHRASE is not set" in only(backend.check(subject), Level.PROBLEM).what
    subject.environment = {"PULUMI_CONFIG_PASSPHRASE_FILE": "/no/such/file"}
    assert "/no/such/file does not exist" in only(backend.check(subject), Level.PROBLEM).what


def test_another_secrets_provider(subject: FakeSubject, whoami: dict[str, Any]) -> None:
    subject.document["secretsprovider"] = "azurekeyvault://vault.vault.azure.net/keys/pulumi"
    assert levels(backend.check(subject)) == {Level.OK}
    del subject.document["secretsprovider"]
    whoami["url"] = "https://app.pulumi.com/me"
    assert levels(backend.check(subject)) == {Level.OK}
