"""What the plan refuses of a stack's settings, and what the stack's outputs say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra import naming
from infra import plan as planning
from infra.outputs import parse, schedules
from infra.plan import PlanError
from infra.settings.configuration import ConfigurationError
from infra.settings.configuration import parse as parse_configuration
from pulumi_azureml.planning import Catalogue, CatalogueSettings, load_catalogue
from tests.unit.infra.deployed import deploy
from tests.unit.infra.stack_files import filled_in

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)
_JOB = "type: pipeline\njobs: {}\n"


def plan(root: Path, schedule: str) -> Catalogue:
    folder = root / "pipelines" / "schedules"
    folder.mkdir(parents=True)
    (folder.parent / "training.yml").write_text(_JOB)
    (folder / "daily.yml").write_text(f"name: daily\ncreate_job: ../training.yml\n{schedule}")
    settings = CatalogueSettings(frozenset(), cache_folder=None, check_with_azure=False)
    return load_catalogue(root, settings)


def test_a_schedule_says_when_it_fires_next_across_the_change_of_the_clocks(tmp_path: Path) -> None:
    text = 'trigger: {type: cron, expression: "30 4 * * *", time_zone: "W. Europe Standard Time"}\n'
    (daily,) = schedules(plan(tmp_path, text), NOW).values()
    assert (daily.trigger, daily.time_zone, daily.is_enabled) == ("30 4 * * *", "W. Europe Standard Time", True)
    assert daily.next_fire_times == [
        "2026-03-28T03:30:00Z",
        "2026-03-29T02:30:00Z",
        "2026-03-30T02:30:00Z",
        "2026-03-31T02:30:00Z",
        "2026-04-01T02:30:00Z",
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("trigger: {type: recurrence, frequency: week, interval: 2, end_time: '2026-03-01'}\n", (True, 0)),
        ("is_enabled: false\ntrigger: {type: recurrence, frequency: day, interval: 1}\n", (False, 0)),
    ],
)
def test_what_is_paused_or_over_fires_no_more(schedule: str, expected: tuple[bool, int], tmp_path: Path) -> None:
    (daily,) = schedules(plan(tmp_path, schedule), NOW).values()
    assert (daily.is_enabled, len(daily.next_fire_times)) == expected


def test_a_schedule_that_waits_is_no_output(tmp_path: Path) -> None:
    found = plan(tmp_path, 'trigger: {type: cron, expression: "30 4 * * *"}\n')
    waiting = tuple(replace(each, waiting_for="a version of model 'delays'") for each in found.assets)
    assert schedules(replace(found, assets=waiting), NOW) == {}


def test_every_name_in_the_settings_that_no_file_defines_is_told_at_once() -> None:
    rules = {"maxInstances": 4, "cpuPercent": 70}
    settings = {
        "models": {"flight-dely": {"name": "delays", "version": 7}},
        "rollout": {"autoscale": {"flight-dely": rules}},
        "assets": {"run": ["trainin"]},
    }
    with pytest.raises(ConfigurationError) as raised:
        deploy("dev", {f"azureml-platform:{key}": json.dumps(value) for key, value in settings.items()})
    lines = str(raised.value).splitlines()
    undefined = "an endpoint that no file under ml/ defines; did you mean flight-delay?"
    assert lines[::2] == [
        f'azureml-platform:models["flight-dely"] promotes a model to {undefined}',
        f'azureml-platform:rollout.autoscale["flight-dely"] scales {undefined}',
        "azureml-platform:assets.run[0] runs pipelines/trainin.yml, which does not exist; did you mean training?",
    ]
    assert lines[1] == "      fix: pulumi config rm --path 'azureml-platform:models[\"flight-dely\"]' -s dev"


def test_an_asset_file_that_names_an_unknown_cluster_stops_the_preview_by_name() -> None:
    compute = [{"name": "other-cluster", "vmSize": "Standard_DS3_v2"}]
    with pytest.raises(PlanError, match="cpu-cluster"):
        deploy("dev", {"azureml-platform:compute": json.dumps(compute)}, preview=True)


def refused(settings: dict[str, Any]) -> str:
    with pytest.raises((ConfigurationError, PlanError)) as raised:
        deploy("dev", {f"azureml-platform:{key}": json.dumps(value) for key, value in settings.items()})
    return str(raised.value)


KEY = 'azureml-platform:models["flight-delay"]'
OVERRIDES = "azureml-platform:overrides"
EXCLUDE = f"{OVERRIDES}.endpoints.flight-delay.exclude"
SCHEDULES = ("flight-delay-daily", "flight-delay-monitoring")
LEFT_OUT = {
    "endpoints": {"flight-delay": {"exclude": True}},
    "schedules": {name: {"exclude": True} for name in SCHEDULES},
}


def test_an_endpoint_and_a_schedule_that_a_stack_leaves_out_are_neither_made_nor_in_its_outputs() -> None:
    deployment = deploy("dev", {"azureml-platform:overrides": json.dumps(LEFT_OUT)})
    outputs = parse(deployment.outputs)
    assert (outputs.endpoints, outputs.schedules) == ({}, {})
    assert not {each.type for each in deployment.resources} & {
        "pulumi-python:dynamic/azureml:OnlineEndpoint",
        "pulumi-python:dynamic/azureml:Schedule",
    }


def test_a_model_cannot_be_promoted_to_an_endpoint_that_the_stack_leaves_out() -> None:
    settings = {"overrides": LEFT_OUT, "models": {"flight-delay": {"name": "delays", "version": 7}}}
    assert refused(settings).splitlines() == [
        f"{KEY} promotes a model to an endpoint that the stack leaves out, because {EXCLUDE} is true",
        f"      fix: pulumi config rm --path '{KEY}' -s dev, or remove `exclude`",
    ]


def test_a_stack_has_its_own_values_in_resources_and_outputs_beside_those_of_the_files() -> None:
    overrides = {
        "endpoints": {
            "flight-delay": {
                "deployments": {
                    "blue": {"instanceType": "Standard_DS2_v2", "environmentVariables": {"LOG_LEVEL": "debug"}}
                }
            }
        },
        "schedules": {"flight-delay-daily": {"isEnabled": False}},
        "pipelines": {"training": {"inputs": {"sample_fraction": "0.5"}}},
    }
    models = {"flight-delay": {"name": "flight-delay", "version": 7}}
    settings = {"overrides": overrides, "models": models}
    deployment = deploy("dev", {f"azureml-platform:{key}": json.dumps(value) for key, value in settings.items()})
    inputs = {each.name: each.inputs for each in deployment.resources}
    served = inputs["endpoint-flight-delay"]
    key = "azureml-platform:overrides.endpoints.flight-delay.deployments.blue"
    assert served["deployment"]["definition"]["instance_type"] == "Standard_DS2_v2"
    assert served["overridden"] == {
        "deployment.instance_type": {"set_by": f"{key}.instanceType", "in_file": "Standard_DS3_v2"},
        "deployment.environment_variables.LOG_LEVEL": {
            "set_by": f"{key}.environmentVariables.LOG_LEVEL",
        },
    }
    schedule = inputs["schedule-flight-delay-daily"]
    assert schedule["definition"]["create_job"]["inputs"]["sample_fraction"] == 0.5
    assert schedule["overridden"]["create_job.inputs.sample_fraction"]["in_file"] == 1.0
    outputs = parse(deployment.outputs)
    assert not outputs.schedules["flight-delay-daily"].is_enabled
    assert outputs.schedules["flight-delay-daily"].next_fire_times == []
    assert outputs.overrides.pipelines["training"].inputs == {"sample_fraction": "0.5"}
    assert deployment.outputs["overrides"]["schedules"] == {"flight-delay-daily": {"is_enabled": False}}


def test_every_override_of_what_no_file_has_is_told_with_its_key() -> None:
    overrides = {
        "endpoints": {"flight-dely": {"exclude": True}, "flight-delay": {"deployments": {"green": {}}}},
        "schedules": {"daily": {"isEnabled": False}},
        "pipelines": {"training": {"inputs": {"sample_fractoin": 0.5}}},
    }
    message = refused({"overrides": overrides})
    green = f"{OVERRIDES}.endpoints.flight-delay.deployments.green"
    fraction = f"{OVERRIDES}.pipelines.training.inputs.sample_fractoin"
    assert [line for line in message.splitlines() if not line.startswith("    fix")] == [
        "4 problems in the catalogue:",
        f"{green}: no file defines deployment 'green' of endpoint 'flight-delay'",
        f"{OVERRIDES}.endpoints.flight-dely: no file defines endpoint 'flight-dely'",
        f"{OVERRIDES}.schedules.daily: no file defines schedule 'daily'",
        f"pipelines/training.yml:11: {fraction}: pipeline 'training' has no input 'sample_fractoin'",
    ]


def test_a_model_cannot_be_promoted_to_a_deployment_whose_file_names_the_version(tmp_path: Path) -> None:
    folder = tmp_path / "ml" / "deploy"
    folder.mkdir(parents=True)
    (folder / "endpoint.yml").write_text("name: flight-delay\n")
    deployment = "name: blue\nendpoint_name: flight-delay\nmodel: azureml:delays:3\ninstance_type: Standard_DS3_v2\n"
    (folder / "blue-deployment.yml").write_text(f"{deployment}instance_count: 1\n")
    values = {
        "azureml-platform:overrides": "{}",
        "azureml-platform:models": '{"flight-delay": {"name": "delays", "version": "7"}}',
    }
    configuration = parse_configuration(filled_in("dev") | values, "dev")
    resource_names = naming.names(configuration.settings.naming, "dev")
    with pytest.raises(ConfigurationError) as raised:
        planning.plan(tmp_path, configuration, resource_names)
    assert f"{KEY} promotes a model to an endpoint whose deployment does not take one" in str(raised.value)
    assert "fix: write `model: azureml:NAME@latest` in ml/deploy/blue-deployment.yml" in str(raised.value)
    (folder / "blue-deployment.yml").write_text(f"{deployment}instance_count: 1\n".replace(":3", "@latest"))
    assert planning.plan(tmp_path, configuration, resource_names).of("online_deployment")


@pytest.mark.parametrize("key", ["compute: azureml:ci-anna", "settings: {default_compute: ci-anna}"])
def test_a_batch_deployment_does_not_run_on_a_compute_instance(key: str, tmp_path: Path) -> None:
    """Source: "Batch endpoints and deployments run on compute clusters" in how-to-use-batch-pipeline-deployments."""
    folder = tmp_path / "ml" / "batch"
    folder.mkdir(parents=True)
    (folder / "endpoint.yml").write_text("name: scores\n")
    component = "component: azureml:steps@latest\n" if "settings" in key else "model: azureml:scores:1\n"
    kind = "pipeline" if "settings" in key else "model"
    (folder / "blue-deployment.yml").write_text(f"name: blue\nendpoint_name: scores\ntype: {kind}\n{component}{key}\n")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "steps.yml").write_text(
        "$schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json\n"
        "type: pipeline\nname: steps\njobs: {}\n"
    )
    instances = json.dumps([{"name": "ci-anna", "vmSize": "Standard_DS3_v2"}])
    values = filled_in("dev") | {"azureml-platform:instances": instances, "azureml-platform:overrides": "{}"}
    configuration = parse_configuration(values, "dev")
    names = naming.names(configuration.settings.naming, "dev")
    with pytest.raises(ConfigurationError, match="runs on ci-anna, which is a compute instance") as error:
        planning.plan(tmp_path, configuration, names)
    assert "fix: name one of cpu-cluster in ml/batch/blue-deployment.yml" in str(error.value)
