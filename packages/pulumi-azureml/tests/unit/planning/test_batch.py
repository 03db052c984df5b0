"""Batch endpoints and deployments: what is found, what waits, what is wrong."""

from __future__ import annotations

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.operations.kinds.batch_deployment import live_name
from pulumi_azureml.planning import AssetId, ConfigKeys, ModelChoice, default_deployment

DEPLOYMENT = """
    name: {name}
    endpoint_name: flights-batch
    type: model
    model: azureml:delay@latest
    environment: azureml:serving
    code_configuration: {{code: ./score, scoring_script: batch.py}}
    compute: azureml:cpu
    """


@pytest.fixture
def batch(project: Project) -> Project:
    project.write("ml/batch/endpoint.yml", "name: flights-batch\nauth_mode: aad_token\n")
    project.write("ml/batch/blue-deployment.yml", DEPLOYMENT.format(name="blue"))
    project.write("ml/batch/score/batch.py", "def init(): ...\ndef run(batch): return batch\n")
    return project


def test_a_deployment_comes_after_its_endpoint_and_waits_for_its_model(batch: Project) -> None:
    deployment = batch.load()["batch_deployment", "flights-batch/blue"]
    assert deployment.waiting_for == "a version of model 'delay'"
    assert deployment.serves == "delay"
    assert AssetId("batch_endpoint", "flights-batch") in deployment.depends_on


@pytest.mark.parametrize("choice", [ModelChoice("delay", "7"), ModelChoice("delay", "7", "shared")])
def test_the_configuration_picks_its_model(choice: ModelChoice, batch: Project) -> None:
    deployment = batch.load(models={"flights-batch": choice}, check_with_azure=True)[
        "batch_deployment", "flights-batch/blue"
    ]
    assert (deployment.waiting_for, deployment.definition["model"]) == (None, choice.reference)
    assert deployment.existing_model == choice.reference
    name = live_name({"name": deployment.name, "content_hash": deployment.content_hash})
    assert name == f"blue-{deployment.content_hash[:8]}"


@pytest.mark.parametrize(
    ("old", "new", "message", "fix"),
    [
        ("flights-batch", "flight-batch", "unknown endpoint 'flight-batch'", "did you mean 'flights-batch'?"),
        ("azureml:cpu", "azureml:cpus", "unknown compute 'cpus'", "did you mean 'cpu'?"),
        ("batch.py", "bath.py", "the scoring script 'bath.py' is not in 'ml/batch/score'", "did you mean 'batch.py'?"),
        ("compute:", "comptue:", "unknown key 'comptue'", "did you mean 'compute'?"),
        ("type: model", "type: modell", "unknown batch deployment type 'modell'", "did you mean 'model'?"),
    ],
)
def test_a_wrong_deployment_is_explained(old: str, new: str, message: str, fix: str, batch: Project) -> None:
    batch.replace("ml/batch/blue-deployment.yml", old, new)
    problems = [(problem.message, problem.fix) for problem in batch.problems()]
    assert (message, fix) in problems


def test_settings_say_how_many_files_a_call_gets(batch: Project) -> None:
    batch.edit("ml/batch/blue-deployment.yml", settings={"output_action": "append_row"})
    assert batch.problem().message == "'mini_batch_size' is missing in 'settings'"
    batch.edit("ml/batch/blue-deployment.yml", settings={"output_action": "append_row", "mini_batch_size": 5})
    assert len(batch.load().of("batch_deployment")) == 1


def test_a_batch_endpoint_has_no_keys(batch: Project) -> None:
    batch.edit("ml/batch/endpoint.yml", auth_mode="key")
    problem = batch.problem()
    assert (problem.message, problem.fix) == ("batch endpoints have no keys", "write `auth_mode: aad_token`")


def test_of_several_deployments_one_is_the_default(batch: Project) -> None:
    batch.write("ml/batch/green-deployment.yml", DEPLOYMENT.format(name="green"))
    plan = batch.load()
    (warning,) = plan.warnings
    assert warning.message == "does not name its default deployment; each call has to name one of 'blue', 'green'"
    assert default_deployment(plan["batch_endpoint", "flights-batch"], plan) is None
    batch.edit("ml/batch/endpoint.yml", defaults={"deployment_name": "gren"})
    problem = batch.problem()
    assert (problem.message, problem.fix) == ("the default is an unknown deployment 'gren'", "did you mean 'green'?")
    batch.edit("ml/batch/endpoint.yml", defaults={"deployment_name": "green"})
    plan = batch.load()
    assert len(plan.of("batch_deployment")) == 2
    assert default_deployment(plan["batch_endpoint", "flights-batch"], plan) == "green"


def test_the_only_deployment_is_the_default(batch: Project) -> None:
    plan = batch.load()
    assert default_deployment(plan["batch_endpoint", "flights-batch"], plan) == "blue"


def test_the_first_form_of_the_settings_is_the_same_deployment(batch: Project) -> None:
    """`az ml` takes them at the top of a file without a `type`."""
    settings = {"max_concurrency_per_instance": 2, "output_action": "append_row", "logging_level": "info"}
    rest = {"error_threshold": -1, "environment_variables": {"A": "b"}}
    batch.edit("ml/batch/blue-deployment.yml", settings={"mini_batch_size": 10, **settings, **rest})
    today = batch.load(check_with_azure=True)["batch_deployment", "flights-batch/blue"]
    batch.write("ml/batch/blue-deployment.yml", DEPLOYMENT.format(name="blue").replace("    type: model\n", ""))
    batch.edit("ml/batch/blue-deployment.yml", **settings, **rest)
    old = batch.load(check_with_azure=True)["batch_deployment", "flights-batch/blue"]
    assert old.definition["settings"] == today.definition["settings"]
    batch.edit("ml/batch/blue-deployment.yml", logging_level="loud")
    problem = batch.problem()
    assert problem.message == "'settings.logging_level' cannot be 'loud'"
    assert "logging_level" in (batch.root / problem.file).read_text().splitlines()[problem.line - 1]


def test_an_online_endpoint_has_the_name(batch: Project) -> None:
    batch.edit("ml/batch/endpoint.yml", name="flights")
    batch.replace("ml/batch/blue-deployment.yml", "flights-batch", "flights")
    problem = batch.problem()
    assert problem.message == "'flights' is the online endpoint of ml/deploy/endpoint.yml too"


def test_a_program_may_have_a_rule_for_names_of_endpoints_in_azure(batch: Project) -> None:
    """They are unique in a region: how-to-deploy-online-endpoints and how-to-use-batch-model-deployments."""
    plain, ruled = batch.load(), batch.load(endpoint_name="{}-dev".format)
    assert [asset.azure_name for asset in plain.assets] == [asset.name for asset in plain.assets]
    assert {asset.name: asset.azure_name for asset in ruled.assets if asset.azure_name != asset.name} == {
        "flights": "flights-dev",
        "flights/blue": "flights-dev/blue",
        "flights-batch": "flights-batch-dev",
        "flights-batch/blue": "flights-batch-dev/blue",
    }
    assert [asset.content_hash for asset in ruled.assets] == [asset.content_hash for asset in plain.assets]


def test_a_name_that_the_rule_makes_too_long_is_told_with_its_file(batch: Project) -> None:
    settings = {"endpoint_name": "{}-in-the-region".format, "config_keys": ConfigKeys(endpoint_names="x:names")}
    batch.load(**settings)
    batch.edit("ml/batch/endpoint.yml", name="flights-of-2013-batch")
    batch.replace("ml/batch/blue-deployment.yml", "flights-batch", "flights-of-2013-batch")
    problem = batch.problem(**settings)
    assert (problem.file, problem.line) == ("ml/batch/endpoint.yml", 1)
    name = "flights-of-2013-batch-in-the-region"
    assert problem.message == f"'flights-of-2013-batch' is '{name}' in Azure, which is not a valid endpoint name"
    assert problem.fix.startswith("shorten `name`, or set `x:names.flights-of-2013-batch` to the name in Azure: use 3")


def test_two_endpoints_cannot_have_one_name_in_azure(batch: Project) -> None:
    problem = batch.problem(endpoint_name={"flights": "Scores", "flights-batch": "scores"}.__getitem__)
    assert problem.message == "'scores' is the online endpoint of ml/deploy/endpoint.yml too"


def test_a_pipeline_component_is_deployed_by_its_exact_version(batch: Project) -> None:
    batch.write(
        "pipelines/scoring.yml",
        """
        $schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json
        type: pipeline
        name: scoring
        inputs: {days: {type: uri_file}}
        jobs:
          prep: {type: command, component: azureml:prep, inputs: {days: "${{parent.inputs.days}}"}}
        """,
    )
    batch.write(
        "ml/batch/blue-deployment.yml",
        """
        name: blue
        endpoint_name: flights-batch
        type: pipeline
        component: azureml:scoring@latest
        settings: {default_compute: azureml:cpu}
        """,
    )
    plan = batch.load()
    deployment = plan["batch_deployment", "flights-batch/blue"]
    assert deployment.definition["component"] == plan["component", "scoring"].reference
    assert (deployment.waiting_for, deployment.serves) == (None, None)
