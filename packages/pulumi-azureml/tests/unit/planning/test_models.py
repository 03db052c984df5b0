"""Where a model's files may lie."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import ModelChoice


@pytest.mark.parametrize(
    "path",
    [
        "azureml://jobs/calm_sun_1/outputs/model/paths/",
        "azureml://jobs/calm_sun_1/outputs/artifacts/paths/model/",
        "runs:/calm_sun_1/model",
        "azureml://registries/shared/models/delay/versions/3",
        "azureml://datastores/workspaceblobstore/paths/models/delay.bin",
    ],
)
def test_a_model_lies_where_its_path_says(project: Project, path: str) -> None:
    project.write("ml/model/model.yml", f"name: old\ntype: mlflow_model\npath: {path}\n")
    model = project.load(check_with_azure=True)["model", "old"]
    assert model.definition["path"] == path
    assert model.trees == {}


@pytest.mark.parametrize(
    "path",
    [
        "azureml://registries/shared/models/delay/labels/latest",  # what it means would change under the version
        "azureml://registries/shared/components/delay/versions/3",
        "azureml://jobs/calm_sun_1",
        "runs:/calm_sun_1",
    ],
)
def test_a_path_that_is_no_place_of_a_model_is_refused(project: Project, path: str) -> None:
    project.write("ml/model/model.yml", f"name: old\npath: {path}\n")
    problem = project.problem()
    assert problem.message == f"'{path}' is not a valid path of a model"
    assert "azureml://registries/NAME/models/MODEL/versions/VERSION" in problem.fix


def test_another_place_is_another_version(project: Project) -> None:
    project.write("ml/model/model.yml", "name: old\npath: runs:/first/model\n")
    before = project.load()["model", "old"].version
    project.write("ml/model/model.yml", "name: old\npath: runs:/second/model\n")
    assert project.load()["model", "old"].version != before


@pytest.mark.parametrize("choice", [ModelChoice("delay", "7"), ModelChoice("delay", "7", "shared")])
def test_a_chosen_version_that_no_file_makes_has_to_exist(project: Project, choice: ModelChoice) -> None:
    deployment = project.load(models={"flights": choice})["online_deployment", "flights/blue"]
    assert deployment.definition["model"] == deployment.existing_model == choice.reference


def test_a_version_that_a_file_makes_need_not_exist(project: Project) -> None:
    project.write("ml/model/model.yml", "name: delay\npath: runs:/first/model\n")
    version = project.load()["model", "delay"].version
    made = project.load(models={"flights": ModelChoice("delay", version)})["online_deployment", "flights/blue"]
    assert made.existing_model is None
    older = project.load(models={"flights": ModelChoice("delay", "7")})["online_deployment", "flights/blue"]
    assert older.existing_model == "azureml:delay:7"


def test_a_shared_version_that_a_file_makes_need_not_exist(project: Project) -> None:
    project.write("ml/shared/model/model.yml", "name: delay\npath: runs:/first/model\n")
    version = project.load(registry="shared")["model", "delay"].version
    choice = ModelChoice("delay", version, "shared")
    deployment = project.load(registry="shared", models={"flights": choice})["online_deployment", "flights/blue"]
    assert deployment.existing_model is None


def test_a_deployment_that_waits_for_its_model_expects_none(project: Project) -> None:
    assert project.load()["online_deployment", "flights/blue"].existing_model is None
