"""Text stays text: what YAML 1.1 would read as a number, a Boolean or a date."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import CatalogueErrors, CatalogueSettings, plan_definitions

# What is written, and what YAML 1.1 reads, if that is something else than text in the same spelling.
TEXTS = {
    "0123456": "42798",
    "1.10": "1.1",
    "2013-10-01": "a date",
    "2013-10-01 06:00:00": "a date",
    "yes": "true",
    "No": "false",
    "12:30:45": "45045",
    "001": "1",
    "1_000": "1000",
    "0x1F": "31",
    ".inf": "inf",
    "1e3": None,
    "=": None,
    "7": None,
    "true": None,
    "9" * 500: None,
}


def warned(project: Project) -> list[tuple[str, int, str]]:
    return [(each.file, each.line, each.message) for each in project.load().warnings]


@pytest.mark.parametrize("text", TEXTS)
def test_a_value_that_azure_takes_as_text_is_what_was_written(project: Project, text: str) -> None:
    path = "ml/environments/serving/environment.yml"
    project.replace(path, "name: serving\n", f"name: serving\ndescription: {text}\ntags:\n  build: {text}\n")
    environment = project.load()["environment", "serving"].definition
    assert (environment["description"], environment["tags"]) == (text, {"build": text})
    read = TEXTS[text]
    expected = [] if read is None else [
        (path, 2, f"'description' is the text '{text}', which YAML 1.1 reads as {read}"),
        (path, 4, f"'tags.build' is the text '{text}', which YAML 1.1 reads as {read}"),
    ]  # fmt: skip
    assert warned(project) == expected


def test_a_version_is_what_was_written(project: Project) -> None:
    project.replace("ml/data/days/data.yml", "name: days\n", "name: days\nversion: 1.10\n")
    project.replace("pipelines/training.yml", "azureml:days@latest", "azureml:days:1.10")
    assert project.load()["data", "days"].version == "1.10"
    assert warned(project) == [
        ("ml/data/days/data.yml", 2, "'version' is the text '1.10', which YAML 1.1 reads as 1.1")
    ]


def test_environment_variables_are_what_was_written(project: Project) -> None:
    """A Boolean would reach a job as `True`, and differ from what Azure returns at each refresh."""
    project.replace(
        "ml/deploy/blue-deployment.yml",
        "name: blue\n",
        "name: blue\nenvironment_variables: {FLAG: yes, COUNT: 010, RATE: 1.10, on: off}\n",
    )
    deployment = project.load()["online_deployment", "flights/blue"].definition
    assert deployment["environment_variables"] == {"FLAG": "yes", "COUNT": "010", "RATE": "1.10", "on": "off"}


def test_the_inputs_of_a_pipeline_have_the_types_of_the_components(project: Project) -> None:
    project.replace("ml/train/component.yml", "  steps: {type: integer}\n", "  steps: {type: string}\n")
    project.replace("pipelines/training.yml", "  steps: 10\n", "  steps: 0123456\n")
    project.replace("ml/prep/component.yml", "default: 0.5,", "default: 0.50,")
    catalogue = project.load()
    assert catalogue["pipeline_job", "training"].definition["inputs"]["steps"] == "0123456"
    assert catalogue["component", "prep"].definition["inputs"]["share"]["default"] == 0.5
    assert warned(project) == [
        ("pipelines/training.yml", 5, "'inputs.steps' is the text '0123456', which YAML 1.1 reads as 42798")
    ]


def test_the_inputs_of_a_step_and_of_a_schedule_have_the_types_of_the_components(project: Project) -> None:
    project.replace("ml/train/component.yml", "  steps: {type: integer}\n", "  steps: {type: string}\n")
    project.replace("pipelines/training.yml", "  steps: 10\n", "  steps: a\n")
    project.write(
        "pipelines/schedules/daily.yml",
        """
        name: daily
        trigger: {type: cron, expression: "0 6 * * *"}
        create_job: {type: pipeline, job: ../training.yml, inputs: {steps: 1.10}}
        """,
    )
    project.write(
        "pipelines/other.yml",
        """
        type: pipeline
        settings: {default_compute: azureml:cpu}
        jobs:
          train:
            type: command
            component: azureml:train
            inputs: {rows: {type: uri_folder, path: "azureml://datastores/workspaceblobstore/paths/x"}, steps: 012}
        """,
    )
    catalogue = project.load()
    assert catalogue["schedule", "daily"].definition["create_job"]["inputs"]["steps"] == "1.10"
    assert catalogue["pipeline_job", "other"].definition["jobs"]["train"]["inputs"]["steps"] == "012"


def test_the_default_and_the_choices_of_a_text_input_are_text(project: Project) -> None:
    project.replace(
        "ml/prep/component.yml", "share:", "day: {type: string, default: 012, enum: [012, 1.10, yes]}\n  share:"
    )
    port = project.load()["component", "prep"].definition["inputs"]["day"]
    assert (port["default"], port["enum"]) == ("012", ["012", "1.10", "yes"])


@pytest.mark.parametrize(("text", "read"), [("010", "8"), ("12:30", "750"), ("0x10", "16")])
def test_a_number_that_other_versions_of_yaml_read_differently_is_refused(
    project: Project, text: str, read: str
) -> None:
    project.replace("ml/deploy/blue-deployment.yml", "instance_count: 1", f"instance_count: {text}")
    problem = project.problem()
    assert problem.message == f"YAML 1.1 reads '{text}' as {read}, and other versions do not"
    assert problem.fix == "write the number with decimal digits only"


def test_merged_keys_have_their_own_place(project: Project) -> None:
    project.write(
        "ml/environments/serving/environment.yml",
        """
        name: serving
        image: python:3.11
        tags: &tags {a: 1.10, b: 012}
        properties: {<<: *tags, b: 1}
        """,
    )
    with pytest.raises(Exception, match="unknown key 'properties'"):
        project.load()
    project.write(
        "ml/deploy/endpoint.yml",
        """
        name: flights
        properties: &all {a: 1.10, b: 012}
        tags: {<<: *all, b: 1}
        """,
    )
    project.write("ml/environments/serving/environment.yml", "name: serving\nimage: python:3.11\n")
    assert project.load()["online_endpoint", "flights"].definition["tags"] == {"a": "1.10", "b": "1"}


@pytest.mark.parametrize("value", [True, 1, 1.5])
def test_a_variable_from_python_has_to_be_text(value: object, tmp_path: Path) -> None:
    """Azure keeps text: `True` in the program would differ from what a refresh reads, for ever."""
    deployment = {
        "name": "blue", "endpoint_name": "flights", "model": "azureml:delay:1", "environment": "azureml:serving:1",
        "instance_type": "Standard_DS3_v2", "instance_count": 1, "environment_variables": {"FLAG": value},
    }  # fmt: skip
    documents = {"blue": ("online_deployment", deployment), "flights": ("online_endpoint", {"name": "flights"})}
    settings = CatalogueSettings(computes=None, cache_folder=None, check_with_azure=False)
    with pytest.raises(CatalogueErrors) as refused:
        plan_definitions(tmp_path, documents, settings)
    messages = [each.message for each in refused.value.problems]
    assert f"'environment_variables.FLAG' has the wrong type: {value}" in messages


def test_a_key_that_yaml_1_1_reads_as_something_else_is_named(project: Project) -> None:
    project.replace(
        "ml/environments/serving/environment.yml", "name: serving\n", "name: serving\ntags: {yes: a, 1.10: b}\n"
    )
    assert project.load()["environment", "serving"].definition["tags"] == {"yes": "a", "1.10": "b"}
    assert [message for _, _, message in warned(project)] == [
        "the key 'tags.1.10' is text, which YAML 1.1 reads as a number",
        "the key 'tags.yes' is text, which YAML 1.1 reads as true or false",
    ]


def test_an_input_of_unknown_type_is_what_was_written(project: Project) -> None:
    """It reaches the job as text, whatever YAML makes of it."""
    project.write(
        "pipelines/other.yml",
        """
        type: pipeline
        settings: {default_compute: azureml:cpu}
        inputs: {release: 1.10, share: 0.5, fast: yes}
        jobs:
          ours:
            component: azureml:of_the_workspace:1
            inputs:
              release: ${{parent.inputs.release}}
              share: ${{parent.inputs.share}}
              fast: ${{parent.inputs.fast}}
        """,
    )
    project.write(
        "pipelines/job.yml",
        """
        type: command
        command: echo ${{inputs.release}}
        environment: azureml:training@latest
        compute: azureml:cpu
        inputs: {release: 1.10, share: 0.5}
        """,
    )
    plan = project.load()
    assert plan["pipeline_job", "other"].definition["inputs"] == {"release": "1.10", "share": 0.5, "fast": "yes"}
    assert plan["pipeline_job", "job"].definition["inputs"] == {"release": "1.10", "share": 0.5}


def test_yes_is_true_where_azure_takes_true_or_false(project: Project) -> None:
    """azure-ai-ml sends it as true."""
    project.replace("ml/train/component.yml", "  steps: {type: integer}\n", "  steps: {type: boolean, default: no}\n")
    project.replace("pipelines/training.yml", "  steps: 10\n", "  steps: yes\n")
    plan = project.load()
    assert plan["component", "train"].definition["inputs"]["steps"]["default"] is False
    assert plan["pipeline_job", "training"].definition["inputs"]["steps"] is True
    assert plan.warnings == ()


def test_a_number_of_an_input_that_versions_of_yaml_read_differently_is_refused(project: Project) -> None:
    project.replace("pipelines/training.yml", "  steps: 10\n", "  steps: 010\n")
    assert project.problem().message == "YAML 1.1 reads '010' as 8, and other versions do not"


def test_texts_of_conda_are_named_where_they_are_sent_as_something_else(project: Project) -> None:
    path = "ml/environments/serving/conda.yml"
    text = (project.root / path).read_text("utf-8")
    project.write(path, f"{text}variables: {{FLAG: yes}}\n")
    (warning,) = warned(project)
    assert warning[0] == path
    assert warning[2] == "azure-ai-ml sends 'variables.FLAG' as YAML 1.1 reads it: 'yes' is true"
    project.write(
        "ml/environments/serving/environment.yml",
        "name: serving\nimage: python:3.11\nconda_file: {dependencies: [pip, {pip: [1.10]}]}\n",
    )
    assert project.load()["environment", "serving"].definition["conda_file"]["dependencies"][1] == {"pip": ["1.10"]}
