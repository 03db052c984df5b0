"""Runs of schedules that are no jobs in Azure's API: of monitors and of imports. They are shown as pipelines."""

from __future__ import annotations

import datetime as dt

from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.services.jobs import submission
from amlite.services.jobs.documents import change
from amlite.services.machinelearning import references

KIND = "Pipeline"


def begin(platform: Platform, schedule: Document, due: dt.datetime, name: str, work: str, **arguments: str) -> str:
    """Start the run of a schedule that is due, as an operation of the kind `work`. Return the name of the run."""
    workspace = references.workspace(platform, schedule.id.rpartition("/schedules/")[0])
    properties = {
        "jobType": KIND,
        "experimentName": schedule.body["name"],
        "displayName": name,
        "properties": {
            "azureml.scheduleName": schedule.body["name"],
            "azureml.scheduledTime": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    job = submission.new(platform, f"{workspace.id}/jobs/{name}", properties, workspace.body, submitter=None)
    operation = platform.operations.begin(work, {"job": job.id, **arguments}, resource_id=job.id)
    change(platform, job.id, run={"operation": operation})
    return name
