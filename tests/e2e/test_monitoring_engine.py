"""Drift under the real engine: an alert is sent and the training starts, once in a cooldown."""

from __future__ import annotations

from typing import Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures import events
from amlite_fixtures.jobs import CLUSTER, equip
from amlite_fixtures.receiver import listening
from azureml_fixtures.engine import GROUP, WORKSPACE, Make

SCHEDULE = "train-daily"
PROGRAM = """
import pulumi

from infra import naming
from infra.components.alerts import Alerts, AlertsArgs
from infra.components.drift_events import QUEUE, DriftEvents, DriftEventsArgs
from infra.components.placement import Placement
from infra.components.retraining import Retraining, RetrainingArgs
from infra.settings.monitoring import MonitoringSettings
from infra.settings.naming import NamingSettings

settings = MonitoringSettings.model_validate({settings!r})
names = naming.names(NamingSettings(namespace="mlops", workspace="engine", postfix="1"), "test")
hook = pulumi.ResourceHook("unused", lambda args: None)
place = Placement(
    resource_group={group!r}, location="westeurope", names=names, tags={{}}, before_create=hook, protect=False
)
workspace, account = pulumi.Output.from_input({workspace!r}), pulumi.Output.from_input({account!r})
name = account.apply(lambda id: id.rpartition("/")[2])
events = DriftEvents(
    "drift",
    DriftEventsArgs(
        placement=place, subscription_id={subscription!r}, workspace_id=workspace, storage_account_id=account,
        storage_account_name=name,
    ),
)
Alerts(
    "alerts",
    AlertsArgs(
        placement=place, settings=settings, workspace_id=workspace, endpoints={{}}, deployments={{}}, requires=[],
        topic_id=events.topic_id, subscriptions=events.subscriptions,
    ),
)
Retraining(
    "retraining",
    RetrainingArgs(
        placement=place, subscription_id={subscription!r}, settings=settings.retrain, workspace_id=workspace,
        storage_account_name=name, queue_id=events.queue_id, queue_name=QUEUE, requires=[],
    ),
)
"""


def training(workspace: Workspace) -> None:
    """Make the schedule whose pipeline is started; it is paused, as on a development stack."""
    equip(workspace)
    environment = f"{workspace.id}/environments/plain/versions/1"
    spec = {
        "name": "train",
        "version": "1",
        "type": "command",
        "command": "echo trained",
        "environment": f"azureml:{environment}",
    }
    component = f"{workspace.id}/components/train/versions/1"
    workspace.azure.arm("PUT", component, {"properties": {"componentSpec": spec}})
    compute = f"{workspace.id}/computes/{CLUSTER}"
    job = {
        "jobType": "Pipeline",
        "experimentName": "training",
        "jobs": {"train": {"componentId": component, "type": "command", "name": "train"}},
        "settings": {"defaultCompute": compute, "default_compute": compute},
    }
    trigger = {"triggerType": "Cron", "expression": "0 5 * * *", "timeZone": "UTC"}
    action = {"actionType": "CreateJob", "jobDefinition": job}
    properties = {"displayName": SCHEDULE, "isEnabled": False, "trigger": trigger, "action": action}
    workspace.azure.put(f"{workspace.id}/schedules/{SCHEDULE}", {"properties": properties})


def retrainings(workspace: Workspace) -> list[dict[str, Any]]:
    found = workspace.azure.arm("GET", f"{workspace.id}/jobs", query="&listViewType=All").json()["value"]
    return [job for job in found if job["name"].startswith(f"{SCHEDULE}-drift-")]


def poll(workspace: Workspace, workflow: str, runs: int) -> dict[str, Any]:
    """Let the workflow look at the queue until it has run so often, and return the latest run."""

    def ran() -> Any:
        workspace.azure.arm("POST", f"{workflow}/triggers/Drift/run", {}, events.LOGIC)
        found = workspace.azure.arm("GET", f"{workflow}/runs", version=events.LOGIC).json()["value"]
        return found if len(found) >= runs else None

    return dict(events.until(ran)[0]["properties"])


@pytest.mark.usefixtures("signed_in")
def test_drift_is_alerted_and_starts_the_training_once_in_a_cooldown(make: Make, azure: LocalAzure) -> None:
    project, workspace = make(), Workspace.create(azure, WORKSPACE, resource_group=GROUP)
    training(workspace)
    with listening() as receiver:
        settings = {
            "webhooks": {"team": receiver.url},
            "alerts": {"failedRuns": None},
            "retrain": {"schedule": SCHEDULE, "cooldownDays": 365, "pollMinutes": 1440},
        }
        project.write(
            "__main__.py",
            PROGRAM.format(
                settings=settings, group=GROUP, workspace=workspace.id, subscription=SUBSCRIPTION_ID,
                account=events.account(workspace),
            ),
        )  # fmt: skip
        project.up()
        assert "unchanged" in project.preview()
        workflow = events.provider(workspace, "Microsoft.Logic/workflows/logic-mlops-engine-test-1")
        events.finished_run(workspace, {"drift_detected": "false"})
        events.finished_run(workspace, {"drift_detected": "true"})
        alert = receiver.wait(1)[0]["data"]["essentials"]
        assert (alert["alertRule"], alert["monitorCondition"]) == ("drift", "Fired")
        first = poll(workspace, workflow, 1)
        assert {name: each["status"] for name, each in first["actions"].items()} == {
            "Schedule": "Succeeded", "Job": "Failed", "Start": "Succeeded", "Done": "Succeeded",
        }  # fmt: skip
        (job,) = retrainings(workspace)
        assert job["properties"]["displayName"] == "Retraining after drift"
        path = f"{workspace.id}/jobs/{job['name']}"
        ended = ("Completed", "Failed")
        events.until(lambda: azure.arm("GET", path).json()["properties"]["status"] in ended)
        assert azure.arm("GET", path).json()["properties"]["status"] == "Completed"
        events.finished_run(workspace, {"drift_detected": "true"})
        second = poll(workspace, workflow, 2)
        assert second["actions"]["Start"]["status"] == "Skipped"
        assert second["status"] == "Succeeded"
        assert len(retrainings(workspace)) == 1
        project.destroy()
