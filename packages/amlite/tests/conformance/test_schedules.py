"""Schedules by the real client: made, listed, disabled, and fired by amlite's clock."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from amlite.core.access import role_id
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import Json
from amlite_fixtures.jobs import CLUSTER, equip, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

DAY = 24 * 3600


@pytest.fixture
def name(ml_client: MLClient) -> Iterator[str]:
    made = f"schedule-{uuid.uuid4().hex[:8]}"
    yield made
    try:
        ml_client.schedules.begin_disable(made).result()
        ml_client.schedules.begin_delete(made).result()
    except ResourceNotFoundError:
        return


@pytest.fixture(scope="session")
def definition(azureml_workspace: Workspace) -> Json:
    """Return the job that schedules here create: the smallest pipeline that says something."""
    environment = f"{azureml_workspace.id}/environments/scheduled/versions/1"
    azureml_workspace.azure.arm("PUT", environment, {"properties": {"image": "python:3.11"}})
    spec = {
        "name": "scheduled", "version": "1", "type": "command", "command": "echo scheduled",
        "environment": f"azureml:{environment}",
    }  # fmt: skip
    component = f"{azureml_workspace.id}/components/scheduled/versions/1"
    assert azureml_workspace.azure.arm("PUT", component, {"properties": {"componentSpec": spec}}).status_code < 300
    compute = f"{azureml_workspace.id}/computes/scheduled"
    scale = {"minNodeCount": 0, "maxNodeCount": 1}
    cluster = {"computeType": "AmlCompute", "properties": {"vmSize": "Standard_DS2_v2", "scaleSettings": scale}}
    azureml_workspace.azure.put(compute, {"location": "westeurope", "properties": cluster})
    job = {"componentId": component, "type": "command", "name": "say"}
    settings = {"defaultCompute": compute, "default_compute": compute}
    return {"jobType": "Pipeline", "jobs": {"say": job}, "experimentName": "scheduled", "settings": settings}


def body(definition: Json, trigger: Json, *, enabled: bool = True) -> Json:
    action = {"actionType": "CreateJob", "jobDefinition": definition}
    return {"properties": {"displayName": "test", "isEnabled": enabled, "trigger": trigger, "action": action}}


def jobs_of(workspace: Workspace, schedule: str) -> list[str]:
    found = workspace.azure.arm("GET", f"{workspace.id}/jobs", query="&listViewType=All").json()["value"]
    return [job["name"] for job in found if job["name"].startswith(schedule)]


def wait_for_jobs(workspace: Workspace, schedule: str, count: int) -> list[str]:
    deadline = time.monotonic() + 20
    while len(found := jobs_of(workspace, schedule)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def cron(expression: str = "0 6 * * *", **more: str) -> Json:
    return {"triggerType": "Cron", "expression": expression, "timeZone": "UTC", **more}


def test_schedule_create_or_update_is_seen_by_the_client(
    azureml_workspace: Workspace, ml_client: MLClient, definition: Json, name: str
) -> None:
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", body(definition, cron("30 5 * * 1-5")))
    found = ml_client.schedules.get(name)
    assert found.is_enabled
    assert found.trigger.expression == "30 5 * * 1-5"
    assert name in {schedule.name for schedule in ml_client.schedules.list()}


def test_schedule_disable_stops_and_hides_it(
    azureml_workspace: Workspace, ml_client: MLClient, definition: Json, name: str
) -> None:
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", body(definition, cron()))
    assert ml_client.schedules.begin_disable(name).result().is_enabled is False
    assert name not in {schedule.name for schedule in ml_client.schedules.list()}
    azureml_workspace.azure.advance(2 * DAY)
    assert jobs_of(azureml_workspace, name) == []


def test_schedule_delete_asks_for_it_to_be_disabled(
    azureml_workspace: Workspace, ml_client: MLClient, definition: Json, name: str
) -> None:
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", body(definition, cron()))
    with pytest.raises(HttpResponseError, match="disabled before"):
        ml_client.schedules.begin_delete(name).result()
    ml_client.schedules.begin_disable(name).result()
    ml_client.schedules.begin_delete(name).result()
    with pytest.raises(ResourceNotFoundError):
        ml_client.schedules.get(name)


def test_schedule_fires_once_for_each_due_time(azureml_workspace: Workspace, definition: Json, name: str) -> None:
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", body(definition, cron()))
    azureml_workspace.azure.advance(DAY)
    first = wait_for_jobs(azureml_workspace, name, 1)
    assert len(first) == 1
    assert first[0].endswith("T060000Z")
    azureml_workspace.azure.advance(2 * DAY)
    assert len(wait_for_jobs(azureml_workspace, name, 3)) == 3


def test_schedule_goes_on_after_a_restart_and_does_not_repeat_itself(
    azureml_workspace: Workspace, definition: Json, name: str
) -> None:
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", body(definition, cron("0 7 * * *")))
    azureml_workspace.azure.advance(DAY)
    before = wait_for_jobs(azureml_workspace, name, 1)
    azureml_workspace.azure.restart()
    assert jobs_of(azureml_workspace, name) == before
    azureml_workspace.azure.advance(DAY)
    assert len(wait_for_jobs(azureml_workspace, name, 2)) == 2


def test_schedule_create_or_update_takes_a_pipeline_of_the_client(
    azureml_workspace: Workspace, ml_client: MLClient, definition: Json, name: str
) -> None:
    from azure.ai.ml.dsl import pipeline
    from azure.ai.ml.entities import CronTrigger, JobSchedule

    component = ml_client.components.get("scheduled", "1")

    @pipeline(default_compute="scheduled", experiment_name="scheduled")
    def said() -> None:
        component()

    trigger = CronTrigger(expression="0 6 * * *", time_zone="UTC", start_time="2026-01-01 00:00:00")
    made = ml_client.schedules.begin_create_or_update(
        JobSchedule(name=name, trigger=trigger, create_job=said())
    ).result()
    assert made.provisioning_state == "Succeeded"
    azureml_workspace.azure.advance(DAY)
    job = wait_for_jobs(azureml_workspace, name, 1)[0]
    found = ml_client.jobs.get(job)
    assert found.experiment_name == "scheduled"
    assert found.properties["azureml.scheduleName"] == name


@pytest.mark.parametrize("by_name", [False, True])
def test_schedule_of_a_job_repeats_that_job(
    azureml_workspace: Workspace, definition: Json, name: str, by_name: bool
) -> None:
    """azure-ai-ml sends an empty experiment, and the name alone if the file has it."""
    source = f"{azureml_workspace.id}/jobs/{name}-source"
    tagged = {**definition, "tags": {"from": "source"}}
    assert azureml_workspace.azure.arm("PUT", source, {"properties": tagged}).status_code == 201
    given = source.rpartition("/")[2] if by_name else source
    repeated = {"jobType": "Pipeline", "sourceJobId": given, "experimentName": "", "isArchived": False}
    trigger = body(repeated, cron("0 8 * * *"))
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", trigger)
    azureml_workspace.azure.advance(DAY)
    fired = next(job for job in wait_for_jobs(azureml_workspace, name, 2) if not job.endswith("source"))
    job = azureml_workspace.azure.arm("GET", f"{azureml_workspace.id}/jobs/{fired}").json()["properties"]
    assert job["tags"] == {"from": "source"}
    assert job["experimentName"] == "scheduled"
    assert job["jobs"].keys() == definition["jobs"].keys()


def test_schedule_trigger_runs_it_now(
    azureml_workspace: Workspace, ml_client: MLClient, definition: Json, name: str
) -> None:
    azureml_workspace.azure.put(f"{azureml_workspace.id}/schedules/{name}", body(definition, cron(), enabled=False))
    submitted = ml_client.schedules.trigger(name)
    assert jobs_of(azureml_workspace, name) == [submitted.job_name]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        (cron("every day"), "five fields"),
        (cron("0 25 * * *"), "five fields"),
        (cron(timeZone="Mars Standard Time"), "time zone"),
        (cron(startTime="2030-01-01T00:00:00", endTime="2020-01-01T00:00:00"), "endTime"),
        (cron(startTime="tomorrow"), "startTime"),
        ({"triggerType": "Recurrence", "frequency": "day", "interval": 0}, "interval"),
        ({"triggerType": "Recurrence", "frequency": "fortnight", "interval": 1}, "frequency"),
        ({"triggerType": "Moon"}, "triggerType"),
    ],
)
def test_schedule_create_or_update_refuses_a_wrong_trigger(
    azureml_workspace: Workspace, definition: Json, trigger: Json, said: str
) -> None:
    answer = azureml_workspace.azure.arm("PUT", f"{azureml_workspace.id}/schedules/wrong", body(definition, trigger))
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


REGISTER = """
import json, os, urllib.request
uri = os.environ["MLFLOW_TRACKING_URI"].replace("azureml://", "https://")
headers = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}
body = json.dumps({"name": os.environ["MLFLOW_RUN_ID"]}).encode()
urllib.request.urlopen(urllib.request.Request(uri + "/api/2.0/mlflow/registered-models/create", body, headers))
"""


@pytest.mark.attack
def test_the_jobs_of_a_schedule_have_the_rights_of_who_wrote_it(amlite: LocalAzure) -> None:
    """They had those of the subscription's owner."""
    workspace = equip(Workspace.create(amlite, "timetable"))
    writer = amlite.application(("AzureML Data Scientist", workspace.id))
    job = {
        "jobType": "Command", "command": f"cat > register.py <<'END'\n{REGISTER}\nEND\npython register.py",
        "environmentId": "azureml:plain:1", "computeId": CLUSTER,
    }  # fmt: skip
    path = f"{workspace.id}/schedules/nightly"
    daily = {"triggerType": "Recurrence", "frequency": "day", "interval": 1}
    assert amlite.arm("PUT", path, body(job, daily), credential=writer).status_code == 201

    def status() -> str:
        name = amlite.arm("POST", f"{path}/trigger", {}).json()["submissionId"]
        until(workspace.client(), name)
        return str(amlite.arm("GET", f"{workspace.id}/jobs/{name}").json()["properties"]["status"])

    assert status() == "Completed"
    assignments = "2022-04-01"
    at = f"{workspace.id}/providers/Microsoft.Authorization/roleAssignments"
    for each in amlite.arm("GET", at, version=assignments).json()["value"]:
        if each["properties"]["roleDefinitionId"].endswith(role_id("AzureML Data Scientist")):
            amlite.remove(each["id"], assignments)
    assert status() == "Failed"
