"""A foreign project of `az ml` YAML becomes part of this one with the layout that it has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from release.errors import ReleaseError
from release.importing import command
from release.importing.source import bring
from release.importing.survey import survey

SCHEMA = "$schema: https://azuremlschemas.azureedge.net/latest/{}.schema.json\n"
ENVIRONMENT = "environment: azureml://registries/azureml/environments/sklearn-1.5/labels/latest\n"
FILES = {
    "mlops/train/pipeline.yml": SCHEMA.format("pipelineJob")
    + "type: pipeline\nsettings: {default_compute: azureml:cpu-cluster}\njobs:\n  train:\n    component: ./train.yml\n",
    "mlops/train/train.yml": SCHEMA.format("commandComponent")
    + f"name: train\ntype: command\ncode: ../../src\ncommand: python main.py\n{ENVIRONMENT}",
    "mlops/train/other.yml": SCHEMA.format("pipelineJob")
    + "type: pipeline\njobs:\n  train:\n    component: ./broken.yml\n",
    "mlops/train/broken.yml": SCHEMA.format("commandComponent") + "name: broken\ncommand: python main.py\n",
    "mlops/compute.yml": SCHEMA.format("amlCompute") + "name: cpu-cluster\ntype: amlcompute\n",
    "src/main.py": "print()\n",
}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / "foreign" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "foreign" / path).write_text(text, encoding="utf-8")
    return tmp_path / "foreign"


def test_a_survey_says_what_is_managed_and_what_is_left_and_why(foreign: Path) -> None:
    found = survey(foreign.parent, "foreign")
    assert {(asset.kind, asset.name) for asset in found.managed} == {
        ("component", "train"),
        ("pipeline_job", "foreign-mlops-train-pipeline"),
    }
    assert {(each.path.rpartition("/")[2], each.what, each.why) for each in found.left} == {
        ("compute.yml", "a compute target", "the platform's configuration has it"),
        ("broken.yml", "refused", "'environment' is missing"),
        ("other.yml", "refused", "it refers to foreign/mlops/train/broken.yml"),
    }
    assert found.patterns[0] == "/foreign/"
    assert set(found.patterns[1:]) == {"!/foreign/mlops/train/broken.yml", "!/foreign/mlops/train/other.yml"}
    assert found.computes == ("cpu-cluster",)


def test_a_folder_of_the_project_stays_where_it_is(foreign: Path) -> None:
    assert bring(str(foreign / "mlops"), foreign.parent, None) == "foreign/mlops"


def test_a_folder_from_elsewhere_is_copied_as_it_is(foreign: Path, tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    assert bring(str(foreign), root, "taxi") == "taxi"
    assert (root / "taxi/mlops/train/pipeline.yml").read_text() == FILES["mlops/train/pipeline.yml"]
    with pytest.raises(ReleaseError, match="exists already"):
        bring(str(foreign), root, "taxi")


def test_a_git_repository_is_imported_without_its_history(foreign: Path, tmp_path: Path) -> None:
    for git in ("init --quiet", "add .", "-c user.name=a -c user.email=a@b commit --quiet -m first"):
        subprocess.run(["git", *git.split()], cwd=foreign, check=True)
    root = tmp_path / "own"
    root.mkdir()
    assert bring(foreign.as_uri(), root, None) == "foreign"
    assert (root / "foreign/src/main.py").read_text() == FILES["src/main.py"]
    assert not (root / "foreign/.git").exists()
    with pytest.raises(ReleaseError, match="git cannot clone"):
        bring((tmp_path / "none").as_uri(), root, None)


def test_the_stack_file_gets_the_patterns_that_it_does_not_have(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi, called = tmp_path / "bin" / "pulumi", tmp_path / "called"
    pulumi.parent.mkdir()
    pulumi.write_text(
        f'#!/bin/sh\ncase "$*" in *" get "*) echo \'["/foreign/"]\' ;; *) echo "$@" >> {called} ;; esac\n'
    )
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", str(pulumi.parent), prepend=":")
    monkeypatch.setattr(command, "program_folder", lambda: foreign.parent)
    monkeypatch.setattr(command, "project_folder", lambda: foreign.parent)
    done = CliRunner().invoke(command.import_project, [str(foreign), "--stack", "dev"])
    assert done.exit_code == 0, done.output
    assert "Pulumi.dev.yaml has these patterns now" in done.output
    settings = [line.partition("--path ")[2] for line in called.read_text().splitlines()]
    key = "azureml-platform:assets.files"
    assert settings == [
        f"{key}[1] -- !/foreign/mlops/train/broken.yml",
        f"{key}[2] -- !/foreign/mlops/train/other.yml",
    ]


@pytest.mark.parametrize("source", ["nowhere", "--upload-pack=x", "ext::sh -c true"])
def test_only_a_folder_or_a_git_url_is_imported(source: str, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="neither a folder nor the URL"):
        bring(source, tmp_path, None)
