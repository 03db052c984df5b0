"""The findings of `release doctor` about the installed programs and packages."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from release.doctor.checks import versions
from release.doctor.findings import Level
from tests.unit.release.examined import FakeSubject, levels, only


@pytest.fixture
def subject(tmp_path: Path) -> FakeSubject:
    return FakeSubject(tmp_path)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, subject: FakeSubject) -> dict[str, str]:
    """What is installed, which a test changes: the project's versions at first."""
    found = {**dict(subject.pins()), "cli": dict(subject.pins())["pulumi"]}

    def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(arguments, 0, f"v{found['cli']}\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(versions, "version", lambda name: found[name])
    return found


def test_those_of_the_project(subject: FakeSubject) -> None:
    assert levels(versions.check(subject)) == {Level.OK}


def test_another_package(subject: FakeSubject, installed: dict[str, str]) -> None:
    installed["azure-ai-ml"] = "1.0.0"
    found = only(versions.check(subject), Level.PROBLEM)
    assert found.what.startswith("azure-ai-ml is 1.0.0, not ")
    assert found.fix == "make setup"


def test_another_cli(subject: FakeSubject, installed: dict[str, str]) -> None:
    installed["cli"] = "3.1.0"
    assert "the Pulumi CLI is 3.1.0" in only(versions.check(subject), Level.WARNING).what


def test_a_plugin_that_may_not_be_downloaded(subject: FakeSubject, installed: dict[str, str], tmp_path: Path) -> None:
    plugin = f"resource-azure-native-v{installed['pulumi-azure-native']}"
    (tmp_path / "plugins" / plugin).mkdir(parents=True)
    never = {"PULUMI_HOME": str(tmp_path), "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
    subject.environment = never
    found = only(versions.check(subject), Level.PROBLEM)
    assert found.fix == f"pulumi plugin install resource docker {installed['pulumi-docker']}"
    subject.environment = {**never, "PULUMI_DEBUG_PROVIDERS": "docker:1234"}
    assert levels(versions.check(subject)) == {Level.OK}
