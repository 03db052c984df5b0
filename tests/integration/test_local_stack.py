"""The stack `local`, fitted to this machine by the real Pulumi CLI."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from bootstrap import local_stack
from bootstrap.errors import SetupError
from bootstrap.local_stack import Engine

ROOT = Path(__file__).resolve().parents[2]
ENGINE, NONE = Engine(available=True), Engine(available=False, reason="no engine answers")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with nothing but its stack's configuration, and a backend of its own."""
    (tmp_path / "backend").mkdir()
    (tmp_path / "project" / ".venv").mkdir(parents=True)
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, tmp_path / "project" / name)
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "backend").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "amlite-local")  # that of the salt in Pulumi.local.yaml
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "project"


def test_it_fits_the_machine_and_changes_no_more_than_that(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    committed = (project / "Pulumi.local.yaml").read_text()

    assert local_stack.fit(project, ENGINE) == []
    assert "Created stack 'local'" in capfd.readouterr().err
    assert local_stack.fit(project, ENGINE) == []
    assert capfd.readouterr().err == ""
    assert (project / "Pulumi.local.yaml").read_text() == committed

    (line,) = local_stack.fit(project, NONE)
    assert "no engine answers" in line
    assert "build: false" in (project / "Pulumi.local.yaml").read_text()
    assert local_stack.fit(project, NONE) == []

    (line,) = local_stack.fit(project, ENGINE)
    assert "on again" in line
    assert (project / "Pulumi.local.yaml").read_text() == committed


def test_it_leaves_a_users_own_choice(project: Path) -> None:
    file = project / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("build: true", "build: false"))
    for engine in (NONE, ENGINE):
        local_stack.fit(project, engine)
        assert "build: false" in file.read_text()


def test_without_its_project_the_reason_is_told(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.yaml").unlink()
    with pytest.raises(SetupError, match=r"`pulumi .* stack .*` ended with code"):
        local_stack.fit(project, NONE)
    assert "no Pulumi.yaml project file found" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("row", "engine"),
    [
        ({"where": "unix:///run/docker.sock", "reason": ""}, ENGINE),
        ({"where": None, "reason": "no engine answers\n  fix: Install Docker."}, NONE),
    ],
)
def test_amlite_says_whether_there_is_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: dict[str, str | None], engine: Engine
) -> None:
    told = json.dumps({"tools": [{"tool": "uv", "where": "/uv", "reason": ""}, {"tool": "docker-engine", **row}]})
    answer(tmp_path, monkeypatch, "tools --output json", told)
    assert local_stack.engine() == engine


def test_the_hint_says_what_jobs_ran_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runners = [None, "virtual environment", "container x", "virtual environment"]
    answer(tmp_path, monkeypatch, "status --output json", json.dumps({"jobs": [{"runner": each} for each in runners]}))
    assert local_stack.hint()[:2] == ["Jobs ran in a container x", "Jobs ran in a virtual environment"]


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, text: str) -> None:
    """Put an amlite on PATH that answers this one command."""
    (folder / "answer.json").write_text(text)
    (folder / "amlite").write_text(f'#!/bin/sh\n[ "$*" = "{arguments}" ] && cat "{folder}/answer.json"\n')
    (folder / "amlite").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
