"""Compute instances by the real client: started, stopped, restarted, and followed on amlite's clock.

Sources: "Create an Azure Machine Learning compute instance", "Manage an Azure Machine Learning compute instance" and
the service's OpenAPI document.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from amlite.testing import Workspace
from amlite_fixtures.azure import Json
from amlite_fixtures.jobs import equip, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

HOUR = 3600
SIZE = "Standard_DS2_v2"


@pytest.fixture
def name(azureml_workspace: Workspace) -> Iterator[str]:
    made = f"ci-{uuid.uuid4().hex[:8]}"
    yield made
    azureml_workspace.azure.arm("DELETE", f"{azureml_workspace.id}/computes/{made}")


def make(workspace: Workspace, name: str, **settings: Any) -> Json:
    inner = {"vmSize": SIZE, **settings}
    body = {"location": "westeurope", "properties": {"computeType": "ComputeInstance", "properties": inner}}
    return workspace.azure.put(f"{workspace.id}/computes/{name}", body)


def wait(client: MLClient, name: str, *states: str) -> Any:
    deadline = time.monotonic() + 20
    while (found := client.compute.get(name)).state not in states and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found.state in states
    return found


def cron(action: str, expression: str) -> Json:
    return {"action": action, "triggerType": "Cron", "cron": {"expression": expression, "timeZone": "UTC"}}


def test_an_instance_is_created_stopped_started_and_restarted(ml_client: MLClient, name: str) -> None:
    from azure.ai.ml.entities import ComputeInstance

    made = ml_client.compute.begin_create_or_update(
        ComputeInstance(name=name, size=SIZE, idle_time_before_shutdown_minutes=30)
    ).result()
    assert (made.state, made.size, made.idle_time_before_shutdown_minutes) == ("Running", SIZE.upper(), 30)
    assert made.last_operation["operationName"] == "Create"
    ml_client.compute.begin_stop(name).result()
    assert ml_client.compute.get(name).state == "Stopped"
    ml_client.compute.begin_start(name).result()
    assert ml_client.compute.get(name).last_operation["operationName"] == "Start"
    ml_client.compute.begin_stop(name).result()
    # "Restarting a stopped compute instance" is the sample of azure-ai-ml's begin_restart.
    ml_client.compute.begin_restart(name).result()
    assert ml_client.compute.get(name).state == "Running"


def test_a_running_instance_cannot_be_started(azureml_workspace: Workspace, ml_client: MLClient, name: str) -> None:
    """Source: the error in microsoft/vscode-tools-for-ai#2096."""
    make(azureml_workspace, name)
    with pytest.raises(HttpResponseError, match="StartComputeInstanceOnlyAllowedInStoppedState"):
        ml_client.compute.begin_start(name).result()
    assert ml_client.compute.get(name).state == "Running"


def test_an_instance_stops_when_it_is_idle(azureml_workspace: Workspace, ml_client: MLClient, name: str) -> None:
    make(azureml_workspace, name, idleTimeBeforeShutdown="PT30M")
    azureml_workspace.azure.advance(29 * 60)
    assert ml_client.compute.get(name).state == "Running"
    azureml_workspace.azure.advance(2 * 60)
    stopped = wait(ml_client, name, "Stopped")
    assert stopped.last_operation["operationTrigger"] == "IdleShutdown"


def test_the_idle_time_can_change_and_then_starts_again(
    azureml_workspace: Workspace, ml_client: MLClient, name: str
) -> None:
    """Source: the section Configure idle shutdown. The idle time clock is reset."""
    made = make(azureml_workspace, name, idleTimeBeforeShutdown="PT1H")
    azureml_workspace.azure.advance(20 * 60)
    update = f"{made['id']}/updateIdleShutdownSetting"
    azureml_workspace.azure.arm("POST", update, {"idleTimeBeforeShutdown": "PT15M"})
    assert ml_client.compute.get(name).state == "Running"
    azureml_workspace.azure.advance(16 * 60)
    wait(ml_client, name, "Stopped")
    answer = azureml_workspace.azure.arm("POST", update, {"idleTimeBeforeShutdown": "PT5M"})
    assert answer.status_code == 400


def test_an_instance_follows_its_schedules(azureml_workspace: Workspace, ml_client: MLClient, name: str) -> None:
    stop = cron("Stop", "0 18 * * *")
    recurrence = {"frequency": "Day", "interval": 1, "timeZone": "UTC", "schedule": {"hours": [8], "minutes": [0]}}
    start = {"action": "Start", "triggerType": "Recurrence", "recurrence": recurrence}
    off = {**cron("Stop", "0 9 * * *"), "status": "Disabled"}
    made = make(azureml_workspace, name, schedules={"computeStartStop": [stop, start, off]})
    kept = made["properties"]["properties"]["schedules"]["computeStartStop"]
    assert [each["provisioningStatus"] for each in kept] == ["Completed"] * 3
    assert len({each["id"] for each in kept}) == 3
    for _ in range(48):
        azureml_workspace.azure.advance(HOUR)
        if ml_client.compute.get(name).state == "Stopped":
            break
    assert wait(ml_client, name, "Stopped").last_operation["operationTrigger"] == "Schedule"
    azureml_workspace.azure.advance(15 * HOUR)
    assert wait(ml_client, name, "Running").last_operation["operationName"] == "Start"


def test_a_job_waits_until_its_instance_runs_and_keeps_it_from_being_idle(
    azureml_workspace: Workspace, ml_client: MLClient, name: str
) -> None:
    from azure.ai.ml import command

    equip(azureml_workspace)
    make(azureml_workspace, name)
    ml_client.compute.begin_stop(name).result()
    job = command(command="sleep 600", environment="plain:1", compute=name, experiment_name="ci")
    submitted = ml_client.jobs.create_or_update(job).name
    until(ml_client, submitted, "Queued")
    ml_client.compute.begin_start(name).result()
    until(ml_client, submitted, "Running")
    assert ml_client.compute.get(name).state == "JobRunning"
    ml_client.jobs.begin_cancel(submitted).result()
    until(ml_client, submitted, "Canceled")
    wait(ml_client, name, "Running")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"vmSize": "Standard_Nothing"}, "Standard_Nothing"),
        ({"idleTimeBeforeShutdown": "PT5M"}, "between 15 minutes and 3 days"),
        ({"schedules": {"computeStartStop": [cron("Stop", "0 18 * * *")] * 5}}, "at most 4 schedules"),
        ({"schedules": {"computeStartStop": [cron("Stop", "at six")]}}, "at six"),
        ({"schedules": {"computeStartStop": [{"action": "Stop", "triggerType": "Cron"}]}}, "needs 'cron'"),
        ({"enableNodePublicIp": False}, "managed virtual network"),
        ({"sshSettings": {"sshPublicAccess": "Enabled"}}, "not part of this local Azure"),
        ({"setupScripts": {"scripts": {"startupScript": {"scriptSource": "inline"}}}}, "not part of this local Azure"),
    ],
)  # fmt: skip
def test_an_instance_is_refused(azureml_workspace: Workspace, name: str, settings: Json, said: str) -> None:
    inner = {"vmSize": SIZE, **settings}
    body = {"location": "westeurope", "properties": {"computeType": "ComputeInstance", "properties": inner}}
    answer = azureml_workspace.azure.arm("PUT", f"{azureml_workspace.id}/computes/{name}", body)
    assert answer.status_code == 400
    assert said in answer.text


def test_an_existing_instance_keeps_its_size(azureml_workspace: Workspace, name: str) -> None:
    """Source: the sections Create, and Configure idle shutdown (ARM templates)."""
    made = make(azureml_workspace, name, idleTimeBeforeShutdown="PT1H")
    make(azureml_workspace, name, idleTimeBeforeShutdown="PT1H")
    for change in ({"vmSize": "Standard_DS3_v2"}, {"vmSize": SIZE, "idleTimeBeforeShutdown": "PT2H"}):
        kind = {"computeType": "ComputeInstance", "properties": change}
        body = {"location": "westeurope", "properties": kind}
        answer = azureml_workspace.azure.arm("PUT", made["id"], body)
        assert answer.status_code == 400
        assert "can only be set when it is created" in answer.text


def test_operations_are_for_their_kind_of_compute(azureml_workspace: Workspace, name: str, cluster: None) -> None:
    """Source of the text: MicrosoftDocs/azure-docs#85756."""
    made = make(azureml_workspace, name)
    answer = azureml_workspace.azure.arm("POST", f"{made['id']}/listNodes")
    assert answer.status_code == 400
    assert "ComputeListNodes with computeType ComputeInstance is not supported." in answer.text
    answer = azureml_workspace.azure.arm("POST", f"{azureml_workspace.id}/computes/cpu/stop")
    assert "ComputeStop with computeType AmlCompute is not supported." in answer.text
