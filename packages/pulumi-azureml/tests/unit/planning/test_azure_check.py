"""azure-ai-ml has the last word, and its schemas are what the catalogue knows of keys and types."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import Asset, azure_check, generate_schema
from tests.checkout import clean_environment


def name_a_step_badly(project: Project) -> None:
    project.replace("pipelines/training.yml", "  prep:", "  Prep:")
    project.replace("pipelines/training.yml", "parent.jobs.prep", "parent.jobs.Prep")


def test_the_schema_is_that_of_the_installed_azure_ai_ml() -> None:
    # In a process of its own: what other tests import and set changes azure-ai-ml's schemas.
    program = "import json; from pulumi_azureml.planning import generate_schema as g; print(json.dumps(g.generate()))"
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
    assert json.loads(generate_schema.PATH.read_text("utf-8")) == json.loads(done.stdout)


def test_azure_ai_ml_loads_every_definition(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert project.load(check_with_azure=True, build_images=True, login_server="a.azurecr.io").assets
    assert capfd.readouterr() == ("", "")


def test_what_only_azure_ai_ml_knows_is_reported_like_everything_else(project: Project) -> None:
    name_a_step_badly(project)
    problem = project.problem(check_with_azure=True)
    assert (problem.file, problem.line) == ("pipelines/training.yml", 9)
    assert problem.message.startswith("azure-ai-ml refuses 'jobs.Prep': Pipeline node name should be")


def test_a_definition_is_asked_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    load = azure_check._load

    def spy(asset: Asset, loader: str, root: Path) -> Exception | None:
        asked.append(str(asset.id))
        return load(asset, loader, root)

    monkeypatch.setattr(azure_check, "_load", spy)
    project = Project(tmp_path / "project", tmp_path / "cache")
    project.load(check_with_azure=True)
    assert len(asked) == 9
    asked.clear()
    project.load(check_with_azure=True)
    assert asked == []
    project.write("ml/train/src/train.py", "changed\n")
    project.load(check_with_azure=True)
    assert sorted(asked) == ["component train", "pipeline job training", "schedule daily"]


def test_a_refused_definition_is_asked_about_again(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", tmp_path / "cache")
    name_a_step_badly(project)
    assert project.problems(check_with_azure=True) == project.problems(check_with_azure=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paths: [", "malformed YAML: did not find expected node content"),
        ("paths:\n  - file: 012\n", "azure-ai-ml refuses 'paths.0.file': Not a valid string."),
        ("- a\n", "is not a YAML mapping"),
    ],
)
def test_a_table_is_described_as_azure_ai_ml_reads_it(project: Project, text: str, message: str) -> None:
    """It checks the description when it uploads the table, so that the update failed."""
    project.write("ml/data/table/data.yml", "name: table\ntype: mltable\npath: ./rows\n")
    project.write("ml/data/table/rows/MLTable", text)
    problem = project.problem(check_with_azure=True)
    assert (problem.file, problem.message) == ("ml/data/table/rows/MLTable", message)


def test_a_folder_may_be_included_as_a_zip_file(project: Project) -> None:
    """azure-ai-ml packs the folder with the name of a zip file that does not exist."""
    project.replace("ml/prep/component.yml", "code: ./src\n", "code: ./src\nadditional_includes: [../lib.zip]\n")
    project.write("ml/lib/helper.py", "pass\n")
    before = project.load(check_with_azure=True)["component", "prep"]
    assert before.definition["additional_includes"] == ["ml/lib.zip"]
    assert "ml/lib/helper.py" in before.files
    project.write("ml/lib/helper.py", "...\n")
    assert project.load()["component", "prep"].version != before.version
