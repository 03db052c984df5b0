"""Models without a version in the inputs of pipelines: the version that the stack promotes."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import AssetId, EndpointOverrides, ModelChoice, Overrides

CHECK = """
    type: command
    name: check
    inputs:
      model: {type: mlflow_model, optional: true}
    outputs:
      report: {type: uri_folder}
    code: ./src
    environment: azureml:training
    command: python check.py $[[--model ${{inputs.model}}]] ${{outputs.report}}
    """
PIPELINE = """
    type: pipeline
    settings: {default_compute: azureml:cpu}
    inputs:
      model: {type: mlflow_model, path: azureml:delay@latest}
    jobs:
      check:
        type: command
        component: azureml:check
        inputs: {model: "${{parent.inputs.model}}"}
    """


@pytest.fixture
def checked(project: Project) -> Project:
    project.write("ml/check/component.yml", CHECK)
    project.write("ml/check/src/check.py", "print('check')\n")
    project.write("pipelines/check.yml", PIPELINE)
    project.write(
        "pipelines/schedules/check.yml",
        "name: check\ntrigger: {type: cron, expression: '0 7 * * *'}\ncreate_job: ../check.yml\n",
    )
    return project


def test_a_pipeline_gets_the_promoted_version_of_a_model(checked: Project) -> None:
    shared = ModelChoice("delay", "7", "mlops")
    found = checked.load(models={"flights": shared})
    assert found["pipeline_job", "check"].definition["inputs"]["model"]["path"] == shared.reference
    schedule = found["schedule", "check"]
    assert schedule.definition["create_job"]["inputs"]["model"]["path"] == shared.reference
    # A version that the endpoint refuses does not reach the schedule.
    assert AssetId("online_endpoint", "flights") in schedule.depends_on


def test_a_copy_of_an_endpoint_does_not_choose_the_version(checked: Project) -> None:
    found = checked.load(
        models={"flights": ModelChoice("delay", "8"), "auto-flights": ModelChoice("delay", "7", "mlops")},
        overrides=Overrides(endpoints={"auto-flights": EndpointOverrides(copy_of="flights")}),
        registry="mlops",
    )
    assert found["pipeline_job", "check"].definition["inputs"]["model"]["path"] == "azureml:delay:8"


def test_before_a_version_is_promoted_the_pipeline_runs_without_it(checked: Project) -> None:
    definition = checked.load()["pipeline_job", "check"].definition
    assert definition["inputs"] == {}
    assert definition["jobs"]["check"]["inputs"] == {}


def test_a_step_that_needs_the_model_is_reported(checked: Project) -> None:
    checked.replace("ml/check/component.yml", ", optional: true", "")
    problem = checked.problem()
    assert problem.message == "unknown model 'delay'"
    assert (problem.file, problem.line) == ("pipelines/check.yml", 4)


def test_endpoints_that_serve_different_versions_do_not_choose_one(checked: Project) -> None:
    checked.write("ml/other/endpoint.yml", "name: other\nauth_mode: key\n")
    problem = checked.problem(models={"flights": ModelChoice("delay", "8"), "other": ModelChoice("delay", "7")})
    served = "'azureml:delay:7', 'azureml:delay:8'"
    assert problem.message == f"the endpoints serve several versions of model 'delay': {served}"
    assert problem.fix == "write the version that the pipeline takes"
