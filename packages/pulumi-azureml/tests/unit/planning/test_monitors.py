"""Monitors (`create_monitor`): what a preview refuses, with file and key, and the deployment that they name.

Source: Microsoft's page "CLI (v2) schedule YAML schema for model monitoring", and azure-ai-ml's own checks.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import ModelChoice
from pulumi_azureml.planning.deployments import azure_name

PATH = "pipelines/schedules/monitor.yml"
DEPLOYMENT = "ml/deploy/blue-deployment.yml"
COLLECTED = "azureml:flights-model_inputs:1"
Json = dict[str, Any]


def signal(**more: Any) -> Json:
    """Return a signal of data drift that compares collected data with a data asset of the project."""
    return {
        "type": "data_drift",
        "production_data": {
            "input_data": {"type": "uri_folder", "path": COLLECTED},
            "data_context": "model_inputs",
            "data_window": {"lookback_window_size": "P7D", "lookback_window_offset": "P0D"},
        },
        "reference_data": {
            "input_data": {"type": "uri_file", "path": "azureml:days@latest"},
            "data_context": "training",
        },
        "features": ["distance"],
        "metric_thresholds": {"numerical": {"normalized_wasserstein_distance": 0.1}},
        "alert_enabled": True,
        **more,
    }


def monitor(**more: Any) -> Json:
    definition: Json = {
        "compute": {"instance_type": "standard_e4s_v3", "runtime_version": "3.4"},
        "monitoring_target": {"ml_task": "classification", "endpoint_deployment_id": "azureml:flights:blue"},
        "monitoring_signals": {"drift": signal()},
        "alert_notification": {"emails": ["ml@contoso.com"]},
        **more,
    }
    return {key: value for key, value in definition.items() if value is not None}


def write(project: Project, definition: Json, collections: tuple[str, ...] = ("model_inputs", "model_outputs")) -> None:
    """Write the monitor, and let the deployment collect."""
    trigger = {"type": "recurrence", "frequency": "day", "interval": 1}
    project.write(PATH, yaml.safe_dump({"name": "monitor", "trigger": trigger, "create_monitor": definition}))
    enabled = {name: {"enabled": "true"} for name in collections}
    project.edit(DEPLOYMENT, **({"data_collector": {"collections": enabled}} if enabled else {}))


def test_monitor_names_the_deployment_as_it_is_in_azure_and_waits_for_its_model(project: Project) -> None:
    write(project, monitor())
    assert project.load()["schedule", "monitor"].waiting_for == "a version of model 'delay'"
    models = {"flights": ModelChoice("delay", "7")}
    plan = project.load(models=models, endpoint_name=lambda name: f"{name}-dev-abcde", check_with_azure=True)
    planned, deployment = plan["schedule", "monitor"], plan["online_deployment", "flights/blue"]
    assert planned.waiting_for is None
    target = planned.definition["create_monitor"]["monitoring_target"]
    physical = azure_name("blue", deployment.content_hash)
    assert target["endpoint_deployment_id"] == f"azureml:flights-dev-abcde:{physical}"
    days = plan["data", "days"].reference
    given = planned.definition["create_monitor"]["monitoring_signals"]["drift"]
    assert given["reference_data"]["input_data"]["path"] == days
    assert given["production_data"]["input_data"]["path"] == COLLECTED
    assert {each.kind for each in planned.depends_on} == {"data", "online_deployment", "online_endpoint"}
    other = project.load(models={"flights": ModelChoice("delay", "8")})["schedule", "monitor"]
    assert other.content_hash != planned.content_hash  # a rollout moves the monitor to the new deployment


@pytest.mark.parametrize(
    ("change", "message", "fix"),
    [
        ({"alert_notification": {}}, "'alert_notification' has no 'emails'", "emails:"),
        ({"alert_notification": {"emails": []}}, "'alert_notification' has no 'emails'", "emails:"),
        ({"alert_notification": {"emails": ["ml"]}}, "'ml' is not an email address", "name@domain"),
        ({"alert_notification": {"email": ["ml@contoso.com"]}}, "unknown key 'email'", "emails"),
        ({"compute": None}, "'create_monitor' has no 'compute'", "instance_type"),
        ({"compute": {"instance_type": "standard_e4s_v3", "runtime_version": "3.3"}}, "cannot be '3.3'", "3.4"),
        ({"compute": {"instance_type": "Standard_DS3_v2", "runtime_version": "3.4"}}, "Standard_DS3_v2", "e4s_v3"),
        (
            {"monitoring_target": {"endpoint_deployment_id": "azureml:flights:blu"}},
            "unknown deployment",
            "flights:blue",
        ),
        ({"monitoring_target": None, "monitoring_signals": None}, "neither signals nor a deployment", "monitoring_sig"),
        ({"monitoring_signals": {"drift": signal(type="data_drif")}}, "data_drif", "data_drift"),
        ({"monitoring_signals": {"drift": {"type": "custom"}}}, "no 'component_id'", "component_id:"),
        ({"monitoring_signals": {"drift": signal(metric_thresholds={"numeric": {}})}}, "numeric", "numerical"),
        (
            {"monitoring_signals": {"drift": signal(metric_thresholds={"categorical": {"null_value_rate": 1}})}},
            "'null_value_rate' is not a metric of a data_drift signal here",
            "jensen_shannon_distance",
        ),
        (
            {"monitoring_signals": {"a": {"type": "feature_attribution_drift"}}},
            "the column of its target",
            "target_column",
        ),
        ({"monitoring_signals": {"a": {"type": "model_performance"}}}, "the column of its target", "target_column"),
    ],
)
def test_22_mistake_of_a_monitor_is_reported_with_file_and_key(
    project: Project, change: Json, message: str, fix: str
) -> None:
    """azure-docs#118016, #118136: the service says ".emails is missing" and no place."""
    write(project, monitor(**change))
    found = project.problems()
    text = "\n".join(f"{each.file} {each.message} {each.fix}" for each in found)
    assert all(each.file == PATH and each.line > 0 for each in found)
    assert message in text
    assert fix in text


@pytest.mark.parametrize(
    ("window", "name", "message"),
    [
        ({"window_start": "2026-01-01", "window_end": "2026-02-01"}, "production_data", "takes a rolling window only"),
        ({"window_start": "2026-01-01"}, "reference_data", "neither fixed nor rolling"),
        ({"lookback_window_size": "7 days"}, "production_data", "'7 days' is not a duration"),
        ({"window_start": "1.1.2026", "window_end": "2026-02-01"}, "reference_data", "'1.1.2026' is not a date"),
    ],
)
def test_window_of_a_monitor_is_checked(project: Project, window: Json, name: str, message: str) -> None:
    given = signal()
    given[name] = {**given[name], "data_window": window}
    write(project, monitor(monitoring_signals={"drift": given}))
    assert any(message in each.message for each in project.problems())


def test_signal_without_data_needs_a_deployment_that_collects_it(project: Project) -> None:
    write(project, monitor(monitoring_signals=None), ("model_inputs",))
    (problem,) = project.problems()
    assert "needs 'model_outputs', which the deployment does not collect" in problem.message
    assert DEPLOYMENT in problem.fix
    write(project, monitor(monitoring_signals=None))
    assert project.load()["schedule", "monitor"].waiting_for is not None


def test_data_of_a_monitor_is_in_the_workspace(project: Project) -> None:
    given = signal(reference_data={"input_data": {"type": "uri_file", "path": "./days.csv"}})
    write(project, monitor(monitoring_signals={"drift": given}))
    (problem,) = project.problems()
    assert "'./days.csv' is a local path" in problem.message
