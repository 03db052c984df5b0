"""What is wrong with a project: every problem at once, each with its place and its fix."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import yaml

from azureml_fixtures.planned_project import FILES, Project
from pulumi_azureml.planning import CatalogueErrors, ModelChoice, Problem


def test_seven_broken_files_are_reported_at_once(project: Project) -> None:
    project.write("ml/prep/component.yml", "name: prep\ninputs: {days: [\n")
    project.replace("ml/train/component.yml", "code: ./src", "code: ./sources")
    project.write("ml/score/component.yml", "name: score\ntype: command\ncommand: x\nenvironment: azureml:trainin\n")
    project.write("ml/report/component.yml", "name: report\ncomand: x\nenvironment: azureml:training\ncommand: x\n")
    project.replace("pipelines/training.yml", "default_compute: azureml:cpu", "default_compute: azureml:cpus")
    project.replace("pipelines/schedules/daily.yml", "0 6 * * *", "0 25 * * *")
    project.write(
        "pipelines/other.yml",
        """
        type: pipeline
        settings: {default_compute: serverless}
        jobs:
          train:
            type: command
            component: azureml:train
            inputs: {steps: 3}
        """,
    )
    problems = project.problems()
    assert [(problem.file, problem.line, problem.message, problem.fix) for problem in problems] == [
        ("ml/prep/component.yml", 3, problems[0].message, "correct the YAML on this line"),
        ("ml/report/component.yml", 2, "unknown key 'comand'", "did you mean 'command'?"),
        ("ml/score/component.yml", 4, "unknown environment 'trainin'", "did you mean 'training'?"),
        (
            "ml/train/component.yml",
            8,
            "code: './sources' does not exist: no such file or folder",
            "create it, or correct the path",
        ),
        (
            "pipelines/other.yml",
            7,
            "step 'train' gives no value to input 'rows' of component 'train'",
            "add `rows:` under the step's `inputs:`, or a `default:` in ml/train/component.yml",
        ),
        ("pipelines/schedules/daily.yml", 2, problems[5].message, problems[5].fix),
        ("pipelines/training.yml", 2, "unknown compute 'cpus'", "did you mean 'cpu'?"),
    ]
    assert problems[0].message.startswith("malformed YAML: ")
    assert problems[5].message.startswith("bad cron expression '0 25 * * *': ")


def test_a_problem_reads_as_place_reason_and_fix() -> None:
    assert str(Problem("a.yml", 3, "is wrong", "put it right")) == "a.yml:3: is wrong\n    fix: put it right"
    assert str(Problem("a.yml", 0, "is wrong", "put it right")) == "a.yml: is wrong\n    fix: put it right"


Break = Callable[[Project], object]


def refer_to_a_flow(project: Project) -> None:
    schema = "https://azuremlschemas.azureedge.net/promptflow/latest/Flow.schema.json"
    project.write("ml/train/flow/flow.dag.yaml", f"$schema: {schema}\nnodes: []\n")
    project.replace("pipelines/training.yml", "../ml/train/component.yml", "../ml/train/flow/flow.dag.yaml")


SHAPES: tuple[object, ...] = (None, True, 3, "text", ["a"], {}, {"a": {"b": []}})

BREAKS: dict[str, tuple[Break, str, int, str, str]] = {
    "not UTF-8": (
        lambda p: p.write("ml/data/days/data.yml", b"name: \xff\n"),
        "ml/data/days/data.yml",
        0,
        "is not UTF-8 text",
        "save the file as UTF-8",
    ),
    "not a mapping": (
        lambda p: p.write("ml/data/days/data.yml", "- name: days\n"),
        "ml/data/days/data.yml",
        1,
        "is not a YAML mapping",
        "key: value",
    ),
    "key twice": (
        lambda p: p.write("ml/data/days/data.yml", "name: days\npath: days.csv\ntype: uri_file\npath: b.csv\n"),
        "ml/data/days/data.yml",
        4,
        "'path' is written twice",
        "keep one",
    ),
    "duplicate name": (
        lambda p: p.write("ml/data/more/data.yml", "name: days\npath: ../days/days.csv\ntype: uri_file\n"),
        "ml/data/more/data.yml",
        1,
        "data days is already defined in ml/data/days/data.yml",
        "rename one of the two",
    ),
    "bad asset name": (
        lambda p: p.write("ml/data/more/data.yml", "path: ../days/days.csv\nname: dày s\ntype: uri_file\n"),
        "ml/data/more/data.yml",
        2,
        "'dày s' is not a valid name",
        "letters, digits",
    ),
    "name too long": (
        lambda p: p.write("ml/data/more/data.yml", f"path: ../days/days.csv\nname: {'x' * 300}\ntype: uri_file\n"),
        "ml/data/more/data.yml",
        2,
        f"'{'x' * 40}…' is not a valid name",
        "255 at most",
    ),
    "bad component name": (
        lambda p: p.write("ml/x/component.yml", "name: Score-it\ncommand: x\nenvironment: azureml:training\n"),
        "ml/x/component.yml",
        1,
        "'Score-it' is not a valid component name",
        "lower-case",
    ),
    "bad version": (
        lambda p: p.edit("ml/data/days/data.yml", version="1 2"),
        "ml/data/days/data.yml",
        4,
        "'1 2' is not a valid version",
        "leave `version` out",
    ),
    "missing key": (
        lambda p: p.write("ml/x/component.yml", "name: score\nenvironment: azureml:training\n"),
        "ml/x/component.yml",
        1,
        "'command' is missing",
        "add `command:`",
    ),
    "wrong type of a field": (
        lambda p: p.edit("ml/deploy/blue-deployment.yml", instance_count="many"),
        "ml/deploy/blue-deployment.yml",
        9,
        "'instance_count' has the wrong type: many",
        "a whole number",
    ),
    "not an allowed value": (
        lambda p: p.replace("ml/prep/component.yml", "type: uri_folder", "type: uri_foldr"),
        "ml/prep/component.yml",
        8,
        "'outputs.rows.type' cannot be 'uri_foldr'",
        "did you mean 'uri_folder'?",
    ),
    "misspelt key deep down": (
        lambda p: p.replace(
            "pipelines/training.yml", "type: command\n    component: azureml", "type: command\n    compnent: azureml"
        ),
        "pipelines/training.yml",
        11,
        "unknown key 'compnent' in 'jobs.prep'",
        "did you mean 'component'?",
    ),
    "unknown component type": (
        lambda p: p.replace("ml/prep/component.yml", "type: command", "type: comand"),
        "ml/prep/component.yml",
        1,
        "unknown component type 'comand'",
        "did you mean 'command'?",
    ),
    "no such data file": (
        lambda p: (p.root / "ml/data/days/days.csv").unlink(),
        "ml/data/days/data.yml",
        3,
        "path: 'days.csv' does not exist",
        "create it",
    ),
    "a folder as a file": (
        lambda p: p.edit("ml/data/days/data.yml", path="."),
        "ml/data/days/data.yml",
        3,
        "path: '.' is not a file",
        "give the path of a file",
    ),
    "a table without its file": (
        lambda p: p.edit("ml/data/days/data.yml", type="mltable", path="."),
        "ml/data/days/data.yml",
        3,
        "there is no file 'MLTable' in 'ml/data/days'",
        "add the file",
    ),
    "only ignored files": (
        lambda p: p.write("ml/train/src/.amlignore", "*.py\n"),
        "ml/train/component.yml",
        8,
        "has no files that are not ignored",
        ".amlignore",
    ),
    "outside of the project": (
        lambda p: p.replace("ml/train/component.yml", "./src", "../../../elsewhere"),
        "ml/train/component.yml",
        8,
        "'../../../elsewhere' is outside of the project",
        "move it into the project",
    ),
    "an undeclared input in a command": (
        lambda p: p.replace("ml/train/component.yml", "${{inputs.steps}}", "${{inputs.stops}}"),
        "ml/train/component.yml",
        10,
        "the command uses ${{inputs.stops}}, which is not declared",
        "'rows', 'steps'",
    ),
    "malformed conda file": (
        lambda p: p.write("ml/environments/serving/conda.yml", "dependencies: [\n"),
        "ml/environments/serving/conda.yml",
        2,
        "malformed YAML",
        "correct the YAML",
    ),
    "image and build": (
        lambda p: p.edit("ml/environments/training/environment.yml", image="x"),
        "ml/environments/training/environment.yml",
        6,
        "'image' and 'build' exclude each other",
        "remove one",
    ),
    "a reference to the wrong kind": (
        lambda p: p.replace("pipelines/training.yml", "../ml/train/component.yml", "../ml/data/days/data.yml"),
        "pipelines/training.yml",
        15,
        "is a data asset, not a component",
        "refer to a component",
    ),
    "a file that cannot be managed": (
        refer_to_a_flow,
        "pipelines/training.yml",
        15,
        "is a prompt flow, and this package does not manage it",
        "refer to a component",
    ),
    "no such schedule target": (
        lambda p: p.replace("pipelines/schedules/daily.yml", "../training.yml", "../trainin.yml"),
        "pipelines/schedules/daily.yml",
        3,
        "there is no file 'pipelines/trainin.yml'",
        "did you mean 'pipelines/training.yml'?",
    ),
    "unknown endpoint": (
        lambda p: p.replace("ml/deploy/blue-deployment.yml", "flights", "flight"),
        "ml/deploy/blue-deployment.yml",
        2,
        "unknown endpoint 'flight'",
        "did you mean 'flights'?",
    ),
    "missing scoring script": (
        lambda p: p.replace("ml/deploy/blue-deployment.yml", "score.py", "scores.py"),
        "ml/deploy/blue-deployment.yml",
        5,
        "the scoring script 'scores.py' is not in 'ml/deploy/score'",
        "did you mean 'score.py'?",
    ),
    "bad instance type": (
        lambda p: p.edit("ml/deploy/blue-deployment.yml", instance_type="Standard_DS3v2"),
        "ml/deploy/blue-deployment.yml",
        8,
        "'Standard_DS3v2' is not an instance type",
        "Standard_DS3_v2",
    ),
    "no instance": (
        lambda p: p.edit("ml/deploy/blue-deployment.yml", instance_count=0),
        "ml/deploy/blue-deployment.yml",
        9,
        "instance_count is 0",
        "1 or more",
    ),
    "bad deployment name": (
        lambda p: p.edit("ml/deploy/blue-deployment.yml", name="b"),
        "ml/deploy/blue-deployment.yml",
        1,
        "'b' is not a valid deployment name",
        "3 to 32",
    ),
    "unknown auth mode": (
        lambda p: p.edit("ml/deploy/endpoint.yml", auth_mode="keys"),
        "ml/deploy/endpoint.yml",
        2,
        "'auth_mode' cannot be 'keys'",
        "did you mean 'key'?",
    ),
    "traffic sum": (
        lambda p: p.edit("ml/deploy/endpoint.yml", traffic={"blue": 90}),
        "ml/deploy/endpoint.yml",
        3,
        "the traffic adds up to 90 %",
        "100",
    ),
    "traffic to nobody": (
        lambda p: p.edit("ml/deploy/endpoint.yml", traffic={"green": 100}),
        "ml/deploy/endpoint.yml",
        4,
        "unknown deployment 'green'",
        "green-deployment.yml",
    ),
}


@pytest.mark.parametrize("case", BREAKS.values(), ids=BREAKS)
def test_one_problem_is_one_clear_error(project: Project, case: tuple[Break, str, int, str, str]) -> None:
    break_it, file, line, message, fix = case
    break_it(project)
    problem = project.problem()
    assert (problem.file, problem.line) == (file, line)
    assert message in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize("name", ["ab", "a" * 33, "1ab", "ab-", "a--b", "a_b"])
def test_endpoint_names_that_azure_refuses(project: Project, name: str) -> None:
    (project.root / "ml/deploy/blue-deployment.yml").unlink()
    project.edit("ml/deploy/endpoint.yml", name=name)
    assert project.problem().message == f"'{name}' is not a valid endpoint name"


@pytest.mark.parametrize("name", ["abc", "a" * 32, "a-1", "Flight-Delay"])
def test_endpoint_names_that_azure_takes(project: Project, name: str) -> None:
    project.edit("ml/deploy/endpoint.yml", name=name)
    project.edit("ml/deploy/blue-deployment.yml", endpoint_name=name)
    assert project.load()["online_endpoint", name].name == name


def test_a_model_of_another_name_in_the_configuration_is_reported(project: Project) -> None:
    problem = project.problem(models={"flights": ModelChoice("other", "1")})
    assert "the configuration promotes model 'other' to 'flights', but the YAML names 'delay'" in problem.message


def test_pipeline_components_that_need_each_other_are_reported(project: Project) -> None:
    for one, other in (("first", "second"), ("second", "first")):
        project.write(
            f"pipelines/{one}.yml",
            f"""
            $schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json
            type: pipeline
            name: {one}
            jobs:
              step: {{type: pipeline, component: "azureml:{other}"}}
            """,
        )
    assert "component first → component second" in project.problem().message


def test_a_broken_file_is_not_blamed_on_those_who_refer_to_it(project: Project) -> None:
    project.write("ml/environments/training/environment.yml", "name: training\nbuild: [\n")
    assert project.problem().file == "ml/environments/training/environment.yml"


def variants(value: object, depth: int) -> Iterator[object]:
    """A value with each of its parts removed, or replaced by every shape, down to a depth."""
    if isinstance(value, dict) and depth:
        for key, item in value.items():
            rest = {other: part for other, part in value.items() if other != key}
            yield rest
            for other_item in (*SHAPES, *variants(item, depth - 1)):
                yield {**rest, key: other_item}


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith(".yml")])
def test_nothing_shaped_wrongly_raises_anything_but_problems(project: Project, path: str) -> None:
    for value in variants(yaml.safe_load((project.root / path).read_text()), 2):
        (project.root / path).write_text(yaml.safe_dump(value))
        with contextlib.suppress(CatalogueErrors):
            project.load()


def test_no_name_is_suggested_where_there_is_none(project: Project) -> None:
    project.write(
        "ml/lone/component.yml", "type: command\nname: lone\nenvironment: azureml:training\ncommand: a ${{inputs.b}}\n"
    )
    assert project.problem().fix == "declare it under `inputs:`, or remove it"
