"""What is defined inside another asset becomes an asset with a name, so that nothing in the workspace is anonymous."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import AssetId

TRAIN = "ml/train/component.yml"


def test_an_inline_environment_is_an_asset_named_after_its_place(project: Project) -> None:
    project.write("ml/train/conda.yml", "dependencies: [python]\n")
    project.edit(TRAIN, environment={"image": "python:3.11", "conda_file": "conda.yml"})
    plan = project.load()
    environment = plan["environment", "train"]
    assert plan["component", "train"].definition["environment"] == environment.reference
    assert environment.definition["conda_file"] == "ml/train/conda.yml"
    assert environment.path == f"{TRAIN}#environment"
    assert environment.dependants == (AssetId("component", "train"),)


def test_equal_definitions_are_one_asset(project: Project) -> None:
    """Paths count from their own files, so the same text can be two environments, and other texts the same one."""
    project.write("ml/conda.yml", "dependencies: [python]\n")
    for path in (TRAIN, "ml/prep/component.yml"):
        project.edit(path, environment={"image": "python:3.11", "conda_file": "../conda.yml"})
    assert [each.name for each in project.load().of("environment") if "#" in each.path] == ["prep"]
    project.write("ml/train/conda.yml", "dependencies: [python=3.12]\n")
    project.edit(TRAIN, environment={"image": "python:3.11", "conda_file": "conda.yml"})
    assert [each.name for each in project.load().of("environment") if "#" in each.path] == ["prep", "train"]


def test_a_change_of_an_inline_definition_is_a_new_version_of_both(project: Project) -> None:
    project.edit(TRAIN, environment={"image": "python:3.11"})
    before = project.versions()
    project.edit(TRAIN, environment={"image": "python:3.12"})
    after = project.versions()
    changed = {name for name in after if before[name] != after[name]}
    assert changed == {"environment train", "component train", "pipeline job training", "schedule daily"}


def test_a_problem_of_an_inline_definition_names_its_line(project: Project) -> None:
    project.edit(TRAIN, environment={"build": {"path": "./context"}})
    problem = project.problem()
    assert (problem.file, problem.line) == (TRAIN, 14)
    assert problem.message == "build.path: './context' does not exist: no such file or folder"


def test_the_model_of_a_deployment_can_be_inline(project: Project) -> None:
    project.write("ml/deploy/weights/a.txt", "1\n")
    project.edit("ml/deploy/blue-deployment.yml", model={"path": "./weights", "type": "custom_model"})
    plan = project.load()
    deployment = plan["online_deployment", "flights/blue"]
    assert deployment.definition["model"] == plan["model", "flights-blue"].reference
    assert deployment.waiting_for is None


def test_a_component_of_a_step_can_be_inline(project: Project) -> None:
    component = {
        "command": "echo ${{inputs.a}}",
        "environment": {"image": "python:3.11"},
        "inputs": {"a": {"type": "string"}},
    }
    step = {"type": "command", "component": component, "inputs": {"a": "x"}}
    project.write("pipelines/echo.yml", "type: pipeline\njobs: {}\n")
    project.edit("pipelines/echo.yml", jobs={"say": step})
    plan = project.load()
    said = plan["component", "echo_say"]
    assert said.definition["environment"] == plan["environment", "echo_say"].reference
    assert plan["pipeline_job", "echo"].definition["jobs"]["say"] == {
        "type": "command",
        "component": said.reference,
        "inputs": {"a": "x"},
    }


STEPS = """
    type: pipeline
    settings: {default_compute: azureml:cpu}
    inputs: {table: {type: uri_file, path: "azureml:days@latest"}, count: 3, name: text}
    outputs: {result: {type: mlflow_model}}
    jobs:
      first:
        type: command
        command: echo
        environment: azureml:training
        inputs: {table: "${{parent.inputs.table}}", count: "${{parent.inputs.count}}", share: 0.5, is_on: true}
        outputs: {rows: {type: mltable}}
      second:
        command: echo
        environment: azureml:training
        resources: {instance_count: 2}
        inputs: {rows: "${{parent.jobs.first.outputs.rows}}", title: "a ${{parent.inputs.name}}"}
        outputs: {model: "${{parent.outputs.result}}"}
    """


def test_the_ports_of_a_step_get_the_types_of_what_they_are_bound_to(project: Project) -> None:
    project.write("pipelines/steps.yml", STEPS)
    plan = project.load()
    first, second = plan["component", "steps_first"].definition, plan["component", "steps_second"].definition
    types = {name: port["type"] for name, port in first["inputs"].items()}
    assert types == {"table": "uri_file", "count": "integer", "share": "number", "is_on": "boolean"}
    assert first["outputs"] == {"rows": {"type": "mltable"}}
    assert {name: port["type"] for name, port in second["inputs"].items()} == {"rows": "mltable", "title": "string"}
    assert second["outputs"] == {"model": {"type": "mlflow_model"}}
    # How one step runs stays with the step.
    assert plan["pipeline_job", "steps"].definition["jobs"]["second"]["resources"] == {"instance_count": 2}


@pytest.mark.parametrize("text", ["echo ${{inputs.nothing}}", "echo ${{outputs.nothing}}"])
def test_the_command_of_a_step_is_checked(project: Project, text: str) -> None:
    project.write(
        "pipelines/steps.yml",
        STEPS.replace("command: echo\n        environment", f"command: {text}\n        environment", 1),
    )
    assert "which is not declared" in project.problem().message
