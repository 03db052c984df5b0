"""What a stack sets in place of the files: what it changes, what it leaves out, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import (
    AssetId,
    ConfigKeys,
    DeploymentOverrides,
    EndpointOverrides,
    ModelChoice,
    Overridden,
    Overrides,
    PipelineOverrides,
    ScheduleOverrides,
)

KEYS = ConfigKeys(overrides="platform:overrides")
BATCH = """
    name: scores
    endpoint_name: nightly
    type: model
    model: azureml:delay:3
    environment: azureml:serving
    code_configuration: {code: ./score, scoring_script: batch.py}
    compute: azureml:cpu
    """
PIPELINE = """
    name: retrain
    endpoint_name: nightly
    type: pipeline
    component: azureml:prep@latest
    settings: {default_compute: azureml:cpu}
    """


@pytest.fixture
def batch(project: Project) -> Project:
    project.write("ml/batch/endpoint.yml", "name: nightly\ndefaults: {deployment_name: scores}\n")
    project.write("ml/batch/scores-deployment.yml", BATCH)
    project.write("ml/batch/score/batch.py", "def init(): ...\ndef run(batch): return batch\n")
    project.write("ml/batch/retrain-deployment.yml", PIPELINE)
    return project


def online(**values: Any) -> Overrides:
    return Overrides(endpoints={"flights": EndpointOverrides(deployments={"blue": DeploymentOverrides(**values)})})


def nightly(name: str, **values: Any) -> Overrides:
    return Overrides(endpoints={"nightly": EndpointOverrides(deployments={name: DeploymentOverrides(**values)})})


def training(**values: Any) -> Overrides:
    return Overrides(pipelines={"training": PipelineOverrides(**values)})


def test_a_deployment_has_the_stacks_values_and_says_what_the_file_has(project: Project) -> None:
    before = project.load(models={"flights": ModelChoice("delay", "7")})["online_deployment", "flights/blue"]
    after = project.load(
        models={"flights": ModelChoice("delay", "7")},
        overrides=online(instance_type="Standard_DS2_v2", instance_count=3, environment_variables={"LEVEL": "debug"}),
        config_keys=KEYS,
    )["online_deployment", "flights/blue"]
    assert after.definition["instance_type"] == "Standard_DS2_v2"
    assert after.definition["environment_variables"] == {"LEVEL": "debug"}
    assert after.metadata["instance_count"] == 3
    assert after.content_hash != before.content_hash
    where = "platform:overrides.endpoints.flights.deployments.blue"
    assert after.overridden == {
        "instance_type": Overridden(f"{where}.instanceType", "Standard_DS3_v2"),
        "instance_count": Overridden(f"{where}.instanceCount", 1),
        "environment_variables.LEVEL": Overridden(f"{where}.environmentVariables.LEVEL", None),
    }


def test_a_deployment_collects_the_stacks_share_of_the_requests(project: Project) -> None:
    collector = {"collections": {"model_inputs": {"enabled": "true"}}, "sampling_rate": 1.0}
    project.edit("ml/deploy/blue-deployment.yml", data_collector=collector)
    plan = project.load(overrides=online(sampling_rate=0.1), config_keys=KEYS)
    deployment = plan["online_deployment", "flights/blue"]
    assert deployment.definition["data_collector"]["sampling_rate"] == 0.1
    option = "platform:overrides.endpoints.flights.deployments.blue.samplingRate"
    assert deployment.overridden == {"data_collector.sampling_rate": Overridden(option, 1.0)}


def test_a_share_of_requests_that_no_file_collects_is_refused(project: Project) -> None:
    assert "the deployment has no `data_collector`" in project.problem(overrides=online(sampling_rate=0.1)).message


def test_another_instance_count_is_no_other_version_as_in_the_file(project: Project) -> None:
    settings: dict[str, Any] = {"models": {"flights": ModelChoice("delay", "7")}}
    before = project.load(**settings)["online_deployment", "flights/blue"]
    after = project.load(**settings, overrides=online(instance_count=3))["online_deployment", "flights/blue"]
    assert after.content_hash == before.content_hash


def test_variables_are_added_to_the_files_and_win(project: Project) -> None:
    project.edit("ml/deploy/blue-deployment.yml", environment_variables={"LEVEL": "info", "ZONE": "1"})
    plan = project.load(overrides=online(environment_variables={"LEVEL": "debug"}))
    deployment = plan["online_deployment", "flights/blue"]
    assert deployment.definition["environment_variables"] == {"LEVEL": "debug", "ZONE": "1"}
    assert deployment.overridden["environment_variables.LEVEL"].in_file == "info"


def test_a_value_that_the_file_has_too_is_not_overridden(project: Project) -> None:
    plan = project.load(overrides=online(instance_type="Standard_DS3_v2"))
    assert plan["online_deployment", "flights/blue"].overridden == {}


def test_a_batch_deployment_has_its_count_where_its_jobs_have_it(batch: Project) -> None:
    overrides = nightly("scores", instance_count=4, compute="gpu", environment_variables={"LEVEL": "debug"})
    plan = batch.load(overrides=overrides, computes=frozenset({"cpu", "gpu"}))
    definition = plan["batch_deployment", "nightly/scores"].definition
    assert definition["resources"] == {"instance_count": 4}
    assert definition["compute"] == "azureml:gpu"
    assert definition["environment_variables"] == {"LEVEL": "debug"}


def test_a_pipeline_components_deployment_has_its_default_compute(batch: Project) -> None:
    plan = batch.load(overrides=nightly("retrain", compute="azureml:gpu"), computes=frozenset({"cpu", "gpu"}))
    assert plan["batch_deployment", "nightly/retrain"].definition["settings"] == {"default_compute": "azureml:gpu"}


def test_a_schedule_is_paused(project: Project) -> None:
    plan = project.load(overrides=Overrides(schedules={"daily": ScheduleOverrides(is_enabled=False)}), config_keys=KEYS)
    schedule = plan["schedule", "daily"]
    assert schedule.definition["is_enabled"] is False
    assert schedule.overridden == {"is_enabled": Overridden("platform:overrides.schedules.daily.isEnabled", None)}


def test_a_pipelines_inputs_and_variables_reach_the_schedules_that_start_it(project: Project) -> None:
    before = project.load()["schedule", "daily"]
    plan = project.load(
        overrides=training(inputs={"steps": 2, "days": "azureml:days:old"}, environment_variables={"LEVEL": "debug"})
    )
    pipeline, schedule = plan["pipeline_job", "training"], plan["schedule", "daily"]
    assert pipeline.definition["inputs"]["steps"] == 2
    assert pipeline.definition["inputs"]["days"]["path"] == "azureml:days:old"
    assert {step: job["environment_variables"] for step, job in pipeline.definition["jobs"].items()} == {
        "prep": {"LEVEL": "debug"},
        "train": {"LEVEL": "debug"},
    }
    assert schedule.definition["create_job"]["inputs"] == pipeline.definition["inputs"]
    assert schedule.content_hash != before.content_hash
    assert schedule.overridden["create_job.inputs.steps"].in_file == 10
    assert schedule.overridden["create_job.inputs.days.path"].in_file == "azureml:days@latest"


def test_an_input_that_a_schedule_sets_itself_stays(project: Project) -> None:
    project.edit("pipelines/schedules/daily.yml", create_job={"job": "../training.yml", "inputs": {"steps": 30}})
    schedule = project.load(overrides=training(inputs={"steps": 2}))["schedule", "daily"]
    assert schedule.definition["create_job"]["inputs"]["steps"] == 30
    assert schedule.overridden == {}


@pytest.mark.parametrize(
    ("in_file", "given", "expected"),
    [
        ("0.1", "0.5", 0.5),  # `pulumi config set --path` stores it as text
        ("1", "0.5", 0.5),
        ("10", 20, 20),
        ("true", "False", False),
        ("'2013'", 2014, "2014"),
        ("a", True, "true"),
        ("{value: 3}", 4, {"value": 4}),
    ],
)
def test_an_input_keeps_the_files_type(in_file: str, given: Any, expected: Any, project: Project) -> None:
    project.write("pipelines/other.yml", f"type: pipeline\ninputs:\n  it: {in_file}\njobs: {{}}\n")
    plan = project.load(overrides=Overrides(pipelines={"other": PipelineOverrides(inputs={"it": given})}))
    value = plan["pipeline_job", "other"].definition["inputs"]["it"]
    assert value == expected
    assert type(value) is type(expected)


def test_what_is_left_out_takes_its_deployments_with_it_and_needs_nothing(batch: Project) -> None:
    batch.replace("ml/batch/scores-deployment.yml", "azureml:cpu", "azureml:of-another-stack")
    overrides = Overrides(
        endpoints={"nightly": EndpointOverrides(exclude=True), "flights": EndpointOverrides(exclude=True)},
        schedules={"daily": ScheduleOverrides(exclude=True)},
    )
    plan = batch.load(overrides=overrides, config_keys=KEYS)
    kinds = {asset.kind for asset in plan.assets}
    assert kinds == {"environment", "data", "component", "pipeline_job"}
    assert [(str(each.id), each.option) for each in plan.excluded if "deployment" not in each.id.kind] == [
        ("batch endpoint nightly", "platform:overrides.endpoints.nightly.exclude"),
        ("online endpoint flights", "platform:overrides.endpoints.flights.exclude"),
        ("schedule daily", "platform:overrides.schedules.daily.exclude"),
    ]
    assert AssetId("batch_deployment", "nightly/scores") in {each.id for each in plan.excluded}


WHERE = "platform:overrides"
BLUE = f"{WHERE}.endpoints.flights.deployments.blue"


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            Overrides(endpoints={"fligths": EndpointOverrides(exclude=True)}),
            (f"{WHERE}.endpoints.fligths", 0, "no file defines endpoint 'fligths'", "did you mean 'flights'?"),
        ),
        (
            Overrides(endpoints={"flights": EndpointOverrides(deployments={"green": DeploymentOverrides()})}),
            (
                f"{WHERE}.endpoints.flights.deployments.green",
                0,
                "no file defines deployment 'green' of endpoint 'flights'",
                "remove it, or use one of 'blue'",
            ),
        ),
        (
            Overrides(schedules={"my.daily": ScheduleOverrides(is_enabled=False)}),
            (f'{WHERE}.schedules["my.daily"]', 0, "no file defines schedule 'my.daily'", "did you mean 'daily'?"),
        ),
        (
            Overrides(pipelines={"trainin": PipelineOverrides()}),
            (f"{WHERE}.pipelines.trainin", 0, "no file defines pipeline 'trainin'", "did you mean 'training'?"),
        ),
        (
            training(inputs={"stepz": 1}),
            (
                "pipelines/training.yml",
                3,
                f"{WHERE}.pipelines.training.inputs.stepz: pipeline 'training' has no input 'stepz'",
                "did you mean 'steps'?",
            ),
        ),
        (
            training(inputs={"steps": "many"}),
            (
                "pipelines/training.yml",
                5,
                f"{WHERE}.pipelines.training.inputs.steps: input 'steps' takes an integer but gets 'many'",
                "give it an integer",
            ),
        ),
        (
            training(inputs={"steps": 0.5}),
            (
                "pipelines/training.yml",
                5,
                f"{WHERE}.pipelines.training.inputs.steps: input 'steps' takes an integer but gets '0.5'",
                "give it an integer",
            ),
        ),
        (
            training(inputs={"days": "azureml:dais@latest"}),
            (
                "pipelines/training.yml",
                4,
                f"unknown data 'dais' (set by {WHERE}.pipelines.training.inputs.days)",
                "did you mean 'days'?",
            ),
        ),
        (
            online(instance_type="DS2"),
            (
                "ml/deploy/blue-deployment.yml",
                6,
                f"'DS2' is not an instance type (set by {BLUE}.instanceType)",
                "use the name of a virtual machine size, such as `Standard_DS3_v2`",
            ),
        ),
        (
            online(compute="cpu"),
            (
                "ml/deploy/blue-deployment.yml",
                1,
                f"{BLUE}.compute: an online deployment runs on instances of its own",
                "set the instance type or count, or remove it",
            ),
        ),
    ],
)
def test_a_wrong_override_is_one_problem_with_its_key(
    overrides: Overrides, problem: tuple[str, int, str, str], project: Project
) -> None:
    found = project.problem(overrides=overrides, config_keys=KEYS)
    assert (found.file, found.line, found.message, found.fix) == problem


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("scores", {"instance_type": "Standard_DS3_v2"}, "a batch deployment runs on a compute cluster"),
        ("scores", {"compute": "gpu"}, "unknown compute 'gpu'"),
        ("retrain", {"instance_count": 2}, "the steps of a pipeline component say how many nodes"),
        ("retrain", {"environment_variables": {"A": "b"}}, "the steps of a pipeline component have their own"),
        ("scores", {"sampling_rate": 0.5}, "a batch deployment collects no requests"),
    ],
)
def test_what_a_batch_deployment_does_not_have_is_refused(
    name: str, values: dict[str, Any], message: str, batch: Project
) -> None:
    assert message in batch.problem(overrides=nightly(name, **values)).message


def test_a_pipeline_without_a_step_that_takes_variables_is_refused(project: Project) -> None:
    project.write("pipelines/other.yml", "type: pipeline\njobs: {}\n")
    overrides = Overrides(pipelines={"other": PipelineOverrides(environment_variables={"A": "b"})})
    assert "pipeline 'other' has no command or parallel step" in project.problem(overrides=overrides).message


def test_an_input_beyond_a_components_limits_is_refused_in_the_file_and_in_the_stack(project: Project) -> None:
    project.edit("pipelines/training.yml", inputs={"days": {"type": "uri_file", "path": "azureml:days"}, "steps": 10})
    project.replace("ml/train/component.yml", "{type: integer}", "{type: integer, max: 10}")
    project.load()
    problem = project.problem(overrides=training(inputs={"steps": 11}), config_keys=KEYS)
    key = f"{WHERE}.pipelines.training.inputs.steps"
    assert problem.message == f"input 'steps' cannot be 11 (set by {key})"
    assert problem.fix == "use a value between -∞ and 10"
    project.replace("pipelines/training.yml", "steps: 10", "steps: 12")
    assert project.problem().message == "input 'steps' cannot be 12"


def test_without_a_configuration_key_the_message_names_the_argument(project: Project) -> None:
    problem = project.problem(overrides=Overrides(schedules={"dayly": ScheduleOverrides(exclude=True)}))
    assert problem.file == 'overrides.schedules["dayly"] in CatalogueSettings'


def test_a_copy_of_an_endpoint_has_its_files_and_a_model_of_its_own(project: Project) -> None:
    shared = ModelChoice("delay", "7", "mlops")
    found = project.load(
        models={"flights": ModelChoice("delay", "8"), "auto-flights": shared},
        overrides=Overrides(endpoints={"auto-flights": EndpointOverrides(copy_of="flights")}),
        registry="mlops",
    )
    assert {each.name for each in found.of("online_endpoint")} == {"flights", "auto-flights"}
    original, copy = (found["online_deployment", f"{name}/blue"] for name in ("flights", "auto-flights"))
    assert copy.path == original.path
    assert (original.definition["model"], copy.definition["model"]) == ("azureml:delay:8", shared.reference)
    assert copy.definition["endpoint_name"] == "auto-flights"
    same = {key: value for key, value in copy.definition.items() if key not in ("model", "endpoint_name")}
    assert same.items() <= original.definition.items()


@pytest.mark.parametrize(
    ("name", "folder", "own_name", "own_folder"),
    [
        (
            "flights-model_inputs",
            "flights/blue/model_inputs",
            "auto-flights-model_inputs",
            "auto-flights/blue/model_inputs",
        ),
        ("inputs", "collected/inputs", "auto-flights-inputs", "auto-flights/collected/inputs"),
    ],
)
def test_a_copy_of_an_endpoint_collects_under_a_name_and_in_a_folder_of_its_own(
    name: str, folder: str, own_name: str, own_folder: str, project: Project
) -> None:
    store = "azureml://datastores/workspaceblobstore/paths"
    data = f"{{name: {name}, path: '{store}/{folder}', version: '1'}}"
    file = project.root / "ml/deploy/blue-deployment.yml"
    collector = f"data_collector:\n  collections:\n    model_inputs: {{enabled: 'true', data: {data}}}\n"
    file.write_text(file.read_text("utf-8") + collector, "utf-8")
    found = project.load(
        models={each: ModelChoice("delay", "8") for each in ("flights", "auto-flights")},
        overrides=Overrides(endpoints={"auto-flights": EndpointOverrides(copy_of="flights")}),
    )

    def place(endpoint: str) -> tuple[str, str]:
        definition = found["online_deployment", f"{endpoint}/blue"].definition
        data = definition["data_collector"]["collections"]["model_inputs"]["data"]
        return data["name"], data["path"]

    assert place("flights") == (name, f"{store}/{folder}")
    assert place("auto-flights") == (own_name, f"{store}/{own_folder}")


def test_a_copy_of_an_endpoint_that_no_file_defines_is_refused(project: Project) -> None:
    overrides = Overrides(endpoints={"auto-flights": EndpointOverrides(copy_of="flight")})
    (problem,) = project.problems(overrides=overrides, config_keys=KEYS)
    assert problem.file == "platform:overrides.endpoints.auto-flights.copyOf"
    assert problem.message == "no file defines endpoint 'flight'"
    assert problem.fix == "did you mean 'flights'?"


def test_a_mistake_in_a_file_is_reported_once_although_a_copy_has_it_too(project: Project) -> None:
    project.write("ml/deploy/endpoint.yml", "name: flights\nauth_mode: password\n")
    overrides = Overrides(endpoints={"auto-flights": EndpointOverrides(copy_of="flights")})
    problems = project.problems(overrides=overrides)
    assert len(problems) == len(set(problems))
