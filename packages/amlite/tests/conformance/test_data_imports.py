"""Schedules that import data (`ImportData`), by the real client: as in Azure, but for their runs, which fail here."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from amlite.testing import Workspace
from amlite_fixtures.azure import Json
from amlite_fixtures.jobs import history

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

VERSION = "2023-06-01-preview"


def test_a_schedule_of_an_import_is_kept_and_its_runs_say_why_they_fail(
    azureml_workspace: Workspace, ml_client: MLClient
) -> None:
    from azure.ai.ml.data_transfer import Database
    from azure.ai.ml.entities import CronTrigger, DataImport, ImportDataSchedule

    name = f"import-{uuid.uuid4().hex[:8]}"
    wanted = DataImport(
        name="sales",
        path="azureml://datastores/workspaceblobstore/paths/sales",
        source=Database(query="select 1", connection="azureml:warehouse"),
    )
    schedule = ImportDataSchedule(name=name, trigger=CronTrigger(expression="0 6 * * *"), import_data=wanted)
    ml_client.schedules.begin_create_or_update(schedule).result()
    found: Any = ml_client.schedules.get(name)
    assert (found.import_data.name, found.import_data.source.query) == ("sales", "select 1")
    assert name in [each.name for each in ml_client.schedules.list()]
    run = ml_client.schedules.trigger(name).job_name
    assert ml_client.jobs.get(run).experiment_name == name
    deadline = time.monotonic() + 60
    while (job := ml_client.jobs.get(run)).status != "Failed":
        assert time.monotonic() < deadline, job.status
        time.sleep(0.1)
    error = str(history(ml_client, run))
    assert "Data is not imported through connection 'warehouse'" in error
    assert "The workspace has no connection 'warehouse' either." in error
    ml_client.schedules.begin_disable(name).result()
    ml_client.schedules.begin_delete(name).result()


SOURCE = {"sourceType": "database", "connection": "azureml:warehouse", "query": "select 1"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"assetName": ""}, "assetName: The assetName field is required"),
        ({"dataUri": None}, "dataUri: The dataUri field is required"),
        ({"source": {}}, "source: The source field is required"),
        ({"source": {**SOURCE, "sourceType": "ftp"}}, "must be one of database, file_system, not 'ftp'"),
        ({"source": {**SOURCE, "connection": None}}, "source.connection: The connection field is required"),
        ({"source": {**SOURCE, "query": ["q"]}}, "query"),
        ({"source": {**SOURCE, "sourceType": "file_system"}}, "source.path: The path field is required"),
        ("sales", "must be an object"),
    ],
)
def test_an_import_without_a_part_is_refused(azureml_workspace: Workspace, change: Any, said: str) -> None:
    definition: Any = {"assetName": "sales", "dataUri": "azureml://datastores/a/paths/b", "source": SOURCE}
    definition = {**definition, **change} if isinstance(change, dict) else change
    trigger = {"triggerType": "Cron", "expression": "0 6 * * *", "timeZone": "UTC"}
    action: Json = {"actionType": "ImportData", "dataImportDefinition": definition}
    path = f"{azureml_workspace.id}/schedules/refused"
    answer = azureml_workspace.azure.arm("PUT", path, {"properties": {"trigger": trigger, "action": action}}, VERSION)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]["message"]
