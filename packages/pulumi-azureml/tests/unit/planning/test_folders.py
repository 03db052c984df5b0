"""Where a project keeps its YAML is the project's choice; inside, files lie by the same conventions."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import Folders


def test_other_folders_hold_the_same_assets(project: Project) -> None:
    before = project.versions()
    (project.root / "ml").rename(project.root / "assets")
    (project.root / "pipelines").rename(project.root / "jobs")
    for file in (project.root / "jobs").rglob("*.yml"):
        file.write_text(file.read_text().replace("../ml/", "../assets/"))
    assert project.versions() == {}
    assert project.versions(folders=Folders(assets="assets", pipelines="jobs", shared="assets/shared")) == before


def test_assets_may_lie_in_the_root(project: Project) -> None:
    project.write("clean/component.yml", "name: clean\ncommand: echo\nenvironment: azureml:training:1\n")
    folders = Folders(assets=".", pipelines="jobs", shared="shared")
    assert "component clean" in {str(asset.id) for asset in project.load(folders=folders).assets}


def test_what_is_shared_lies_in_a_folder_of_its_own(project: Project) -> None:
    project.write("shared/plain/environment.yml", "name: plain\nimage: python:3.11\n")
    folders = Folders(shared="shared")
    assert project.load(folders=folders, registry="models")["environment", "plain"].registry == "models"
    problem = project.problem(folders=folders)
    assert problem.message == "is in `shared/`, but the stack has no registry to share it through"


@pytest.mark.parametrize(
    ("folders", "roots"),
    [
        (Folders(), ["ml", "pipelines"]),
        (Folders(assets="."), ["."]),
        (Folders(assets="a", pipelines="b", shared="c"), ["a", "b", "c"]),
        (Folders(assets="a", pipelines="a/b", shared="a/c"), ["a"]),
    ],
)
def test_no_folder_is_read_twice(folders: Folders, roots: list[str]) -> None:
    assert list(folders.roots()) == roots
