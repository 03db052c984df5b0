"""The stacks of the local Azure, fitted to this machine by the real Pulumi CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bootstrap import local_stack, stack_files
from bootstrap.errors import SetupError
from bootstrap.local_stack import Engine
from bootstrap.stack_files import Project

ROOT = Path(__file__).resolve().parents[2]
ENGINE, NONE = Engine(available=True), Engine(available=False, reason="no engine answers")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with nothing but the files of Pulumi, and a backend of its own."""
    (tmp_path / "backend").mkdir()
    (tmp_path / "project").mkdir(parents=True)
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path / "project" / name)
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "backend").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "amlite-local")  # that of the salt in Pulumi.local.yaml
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "project"


@pytest.fixture
def project(repository: Path) -> Project:
    """The project of the stack `local`."""
    made = Project.of("local", repository, {})
    assert stack_files.write("local", made) == []
    return made


def test_it_fits_the_machine_and_changes_no_more_than_that(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    committed = project.file("local").read_text()

    assert local_stack.fit("local", project, ENGINE) == []
    assert "Created stack 'local'" in capfd.readouterr().err
    assert local_stack.fit("local", project, ENGINE) == []
    assert capfd.readouterr().err == ""
    assert project.file("local").read_text() == committed

    (line,) = local_stack.fit("local", project, NONE)
    assert "no engine answers" in line
    assert "build: false" in project.file("local").read_text()
    assert local_stack.fit("local", project, NONE) == []

    (line,) = local_stack.fit("local", project, ENGINE)
    assert "on again" in line
    assert project.file("local").read_text() == committed


def test_it_leaves_a_users_own_choice(project: Project) -> None:
    file = project.file("local")
    file.write_text(file.read_text().replace("build: true", "build: false"))
    for engine in (NONE, ENGINE):
        local_stack.fit("local", project, engine)
        assert "build: false" in file.read_text()


def test_a_stack_without_resources_keeps_no_promoted_models(project: Project) -> None:
    committed = project.file("local").read_text()
    local_stack.fit("local", project, ENGINE)
    arguments = ["--stack", "local", "--path", 'azureml-platform:models["flight-delay"].version', "7"]
    subprocess.run(["pulumi", "config", "set", *arguments], cwd=project.folder, check=True)
    (line,) = local_stack.fit("local", project, ENGINE)
    assert line == "Removed the promoted models from Pulumi.local.yaml: the stack has no resources"
    assert project.file("local").read_text() == committed


def test_a_stack_without_resources_keeps_the_promoted_models_of_a_registry(project: Project) -> None:
    local_stack.fit("local", project, ENGINE)
    kept = {"shared": "azureml://registries/mlops/models/delays/versions/3", "group.registry": "mlops"}
    for path, value in {**kept, "own.version": "7", "reference": "azureml:delays:7"}.items():
        arguments = ["--stack", "local", "--path", f"azureml-platform:models.{path}", value]
        subprocess.run(["pulumi", "config", "set", *arguments], cwd=project.folder, check=True)
    (line,) = local_stack.fit("local", project, ENGINE)
    assert line == "Removed the promoted models from Pulumi.local.yaml: the stack has no resources"
    models = yaml.safe_load(project.file("local").read_text())["config"]["azureml-platform:models"]
    assert models == {"shared": kept["shared"], "group": {"registry": "mlops"}}
    assert local_stack.fit("local", project, ENGINE) == []


def test_another_stack_gets_a_project_of_its_own_and_its_tracked_file_stays(repository: Path) -> None:
    tracked = (repository / "Pulumi.dev.yaml").read_text()
    project = Project.of("dev", repository, {})
    assert stack_files.write("dev", project) == []
    (line,) = local_stack.fit("dev", project, NONE)
    assert line.startswith("Switched the image build off (Pulumi.dev.yaml")
    assert (repository / "Pulumi.dev.yaml").read_text() == tracked
    made = project.file("dev").read_text()
    assert "00000000-0000" not in made
    assert "build: false" in made
    assert made.splitlines()[-1].startswith("encryptionsalt: ")  # Pulumi wrote none of its own
    assert local_stack.fit("dev", project, NONE) == []


def test_without_its_project_the_reason_is_told(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    (project.folder / "Pulumi.yaml").unlink()
    with pytest.raises(SetupError, match=r"`pulumi .* stack .*` ended with code"):
        local_stack.fit("local", project, NONE)
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
    local = Project.of("local", tmp_path, {})
    *ran, shell, _ = local_stack.hint("local", local)
    assert ran == ["Jobs ran in a container x", "Jobs ran in a virtual environment"]
    assert "PULUMI_OPTION_CWD" not in shell
    dev = Project.of("dev", tmp_path, {})
    assert f'; export PULUMI_OPTION_CWD="{dev.folder}"' in local_stack.hint("dev", dev)[2]


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, text: str) -> None:
    """Put an amlite on PATH that answers this one command."""
    (folder / "answer.json").write_text(text)
    (folder / "amlite").write_text(f'#!/bin/sh\n[ "$*" = "{arguments}" ] && cat "{folder}/answer.json"\n')
    (folder / "amlite").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
