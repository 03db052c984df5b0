"""Where a model's files may lie."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project


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
    assert problem.message == f"'{path}' is not a place of a model"
    assert "azureml://registries/NAME/models/MODEL/versions/VERSION" in problem.fix


def test_another_place_is_another_version(project: Project) -> None:
    project.write("ml/model/model.yml", "name: old\npath: runs:/first/model\n")
    before = project.load()["model", "old"].version
    project.write("ml/model/model.yml", "name: old\npath: runs:/second/model\n")
    assert project.load()["model", "old"].version != before
