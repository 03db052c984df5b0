"""Flights arrive: Data Factory prepares them with Databricks, and trains on the result with the batch endpoint."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient

from pulumi_azureml.operations import arm, credential
from release.errors import ReleaseError
from story.telling import Story

TITLE = "Data Factory and Databricks"
CONTAINER, ARRIVAL = "departures", "flights-arrive"
_VERSION, _RESOURCES = "2018-06-01", "2021-04-01"
_ENDED = ("Succeeded", "Failed", "Cancelled")
_POLL_SECONDS = 2.0
_START_SECONDS = 600.0


def tell(story: Story) -> None:
    """Upload a file, and follow the run of the pipeline that its arrival starts."""
    group = f"/subscriptions/{story.outputs.subscription_id}/resourceGroups/{story.outputs.resource_group}"
    base = story.outputs.workspace.removeprefix("mlw-")
    factory = f"{group}/providers/Microsoft.DataFactory/factories/adf-{base}"
    since = datetime.now(UTC) - timedelta(minutes=5)
    known = {run["runId"] for run in _runs(factory, since)}
    name = _upload(story, _lake(group))
    story.say(f"{CONTAINER}/{name} arrives")
    run = _started(factory, since, known)
    story.say(f"The trigger {ARRIVAL} starts {run['pipelineName']}, run {run['runId']}")
    while run["status"] not in _ENDED:
        time.sleep(_POLL_SECONDS)
        run = arm.send("GET", f"{factory}/pipelineruns/{run['runId']}", _VERSION)
    parts = _query(f"{factory}/pipelineruns/{run['runId']}/queryActivityruns", since)
    for part in parts:
        if part["activityName"] in ("Prepare", "Train", "Wait for the job"):
            story.say(f"{part['activityName']}: {part['status']}, {part['durationInMs'] / 1000:.0f} s")
    if run["status"] != "Succeeded":
        raise ReleaseError(f"the pipeline run {run['runId']} of Data Factory is {run['status']}: {run['message']}")
    job = next(part["output"]["name"] for part in parts if part["activityName"] == "Train")
    metrics = story.document(job, "model/metrics.json")
    story.results["Data Factory"] = f"run {run['runId']}, in {run['durationInMs'] / 1000:.0f} s"
    story.results["trained on Databricks' table"] = (
        f"job {job}, {metrics['rows']} rows, wrong by {metrics['mean_absolute_error']:.1f} departures a day"
    )


def _upload(story: Story, account: str) -> str:
    """Copy the flights of the step `extract` to where new flights arrive, and return the blob's name."""
    name = f"raw/flights-{datetime.now(UTC):%Y%m%dT%H%M%S}.parquet"
    url = f"https://{account}.blob.core.windows.net"
    with tempfile.TemporaryDirectory() as folder, ContainerClient(url, CONTAINER, credential()) as container:
        story.ml.jobs.download(story.baked["extract"].id, download_path=folder, output_name="flights")
        (flights,) = Path(folder).rglob("*.parquet")
        # A second file would count each flight twice.
        for earlier in container.list_blob_names(name_starts_with="raw/"):
            container.delete_blob(earlier)
        container.upload_blob(name, flights.read_bytes())
    return name


def _lake(group: str) -> str:
    """Return the name of the data lake's account."""
    wanted = {"$filter": "resourceType eq 'Microsoft.Storage/storageAccounts'"}
    found = [each["name"] for each in arm.pages(f"{group}/resources", _RESOURCES, query=wanted)]
    return str(next(name for name in found if name.startswith("dl")))


def _started(factory: str, since: datetime, known: set[str]) -> dict[str, Any]:
    """Wait for the run that the arrival starts. Raises ReleaseError if there is none."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for run in _runs(factory, since):
            if run["runId"] not in known and run["invokedBy"]["name"] == ARRIVAL:
                return run
        time.sleep(_POLL_SECONDS)
    raise ReleaseError(f"the trigger {ARRIVAL} started nothing in {_START_SECONDS:.0f} s; is it started?")


def _runs(factory: str, since: datetime) -> list[dict[str, Any]]:
    return _query(f"{factory}/queryPipelineRuns", since)


def _query(path: str, since: datetime) -> list[dict[str, Any]]:
    until = datetime.now(UTC) + timedelta(days=365)
    body = {"lastUpdatedAfter": since.isoformat(), "lastUpdatedBefore": until.isoformat()}
    return list(arm.send("POST", path, _VERSION, body)["value"])
