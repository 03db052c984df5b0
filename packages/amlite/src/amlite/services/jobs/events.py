"""What the rest of Azure hears about runs: Event Grid's events, and counts for Azure Monitor."""

from __future__ import annotations

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.eventgrid import delivery, filters
from amlite.services.mlflow import tracking
from amlite.services.monitoring import counters

_COUNTED = {"Completed": "Completed Runs", "Failed": "Failed Runs", "Canceled": "Cancelled Runs"}
_TYPES = {"Pipeline": "azureml.PipelineRun", "Sweep": "hyperdrive", "AutoML": "automl"}
_STEP = "azureml.StepRun"


def status_changed(platform: Platform, workspace_id: str, job: Json) -> None:
    """Publish the change of a run's status. `job` is its stored body."""
    properties, status = job["properties"], job["properties"]["status"]
    kind = _TYPES.get(properties["jobType"], _STEP if job["run"].get("node") else "azureml.scriptrun")
    experiment = str(properties.get("experimentName") or "Default")
    if status in _COUNTED:
        counters.record(platform, workspace_id, _COUNTED[status], {"RunType": kind, "ExperimentName": experiment})
    if not delivery.is_source(platform, workspace_id):
        return
    workspace = platform.store.get(workspace_id)
    logged = tracking.logged(platform, workspace.body, job["name"])[2] if workspace else {}
    tags = {key: value for key, value in logged.items() if not key.startswith("mlflow.")}
    number = tracking.experiment(platform, workspace.body, experiment) if workspace else ""
    data = {
        "experimentId": number,
        "experimentName": experiment,
        "runId": job["name"],
        "runType": kind,
        "runTags": {**(properties.get("tags") or {}), **tags},
        "runProperties": properties.get("properties") or {},
    }
    subject = f"experiments/{number}/runs/{job['name']}"
    delivery.publish(platform, workspace_id, filters.STATUS_CHANGED, subject, {**data, "runStatus": status})
    if status == "Completed":
        delivery.publish(platform, workspace_id, filters.COMPLETED, subject, data)
