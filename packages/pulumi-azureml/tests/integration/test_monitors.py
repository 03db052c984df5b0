"""A monitor as a managed schedule: registered, changed, observed and removed, with the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from azureml_fixtures.asset_project import STRANGER, Project
from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.operations.kinds import OPERATIONS

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

KIND = OPERATIONS["schedule"]
FOLDER = "azureml://datastores/workspaceblobstore/paths/collected"


def definition(threshold: float) -> dict[str, Any]:
    def data(name: str) -> dict[str, Any]:
        return {"input_data": {"type": "uri_folder", "path": f"{FOLDER}/{name}"}, "data_context": "model_inputs"}

    signal = {
        "type": "data_drift",
        "production_data": data("inputs"),
        "reference_data": data("reference"),
        "features": ["distance"],
        "metric_thresholds": {"numerical": {"normalized_wasserstein_distance": threshold}},
        "alert_enabled": True,
    }
    return {
        "compute": {"instance_type": "standard_e4s_v3", "runtime_version": "3.4"},
        "monitoring_signals": {"drift": signal},
        "alert_notification": {"emails": ["ml@contoso.com"]},
    }


def threshold_of(ml: MLClient, name: str) -> float:
    signal = ml.schedules.get(name).create_monitor.monitoring_signals["drift"]
    return float(signal.metric_thresholds.numerical.normalized_wasserstein_distance)


def test_monitor_is_registered_changed_observed_and_removed(project: Project, ml_client: MLClient) -> None:
    path, name = "pipelines/schedules/daily.yml", f"daily-{project.tag}"
    trigger = {"type": "cron", "expression": "0 5 * * *", "time_zone": "UTC"}
    project.write(path, {"name": name, "trigger": trigger, "create_monitor": definition(0.1)})
    props = project.props("schedule")
    made = KIND.upsert(ml_client, props)
    assert made["resource_id"].endswith(f"/schedules/{name}")
    assert KIND.observe(ml_client, props) == props
    assert threshold_of(ml_client, name) == pytest.approx(0.1)
    project.edit(path, create_monitor=definition(0.3), is_enabled=False)
    changed = project.props("schedule")
    assert changed["content_hash"] != props["content_hash"]
    KIND.upsert(ml_client, changed)
    assert threshold_of(ml_client, name) == pytest.approx(0.3)
    assert ml_client.schedules.get(name).is_enabled is False
    assert KIND.observe(ml_client, changed) == changed
    with pytest.raises(AssetError, match="belongs to"):
        KIND.upsert(ml_client, project.props("schedule", STRANGER))
    KIND.upsert(ml_client, props)
    KIND.remove(ml_client, props)  # it is enabled, and Azure deletes disabled schedules only
    with pytest.raises(ResourceNotFoundError):
        ml_client.schedules.get(name)
