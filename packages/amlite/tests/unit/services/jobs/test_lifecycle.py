"""A job from its beginning to its end."""

from __future__ import annotations

import asyncio

import pytest

from amlite.core.platform import Platform
from amlite.services.jobs import documents, lifecycle
from amlite.services.jobs.documents import JOB_TYPE, Job
from amlite.services.machinelearning.references import WORKSPACE_TYPE

WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"


def job(platform: Platform) -> Job:
    """Write down a job that has not begun, in a workspace whose MLflow nobody has asked for."""
    properties = {"workspaceId": "w-1", "mlFlowTrackingUri": "azureml://westeurope.api.azureml.ms/mlflow/v1.0/w"}
    platform.store.put(WORKSPACE, WORKSPACE_TYPE, {"id": WORKSPACE, "name": "w", "properties": properties})
    wanted = {"jobType": "Command", "status": "NotStarted", "experimentName": "e"}
    platform.store.put(f"{WORKSPACE}/jobs/j", JOB_TYPE, {"name": "j", "properties": wanted, "run": {}})
    return documents.get(platform, WORKSPACE, "j")


def test_a_job_that_is_canceled_before_it_begins_never_begins(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def begun(*_: object) -> None:
        pytest.fail("it began")

    for each in ("prewarm", "start_run", "end_run"):
        monkeypatch.setattr(lifecycle.tracking, each, lambda *_: None)
    made = job(platform)
    lifecycle.cancel(platform, made, "the sweep's time limit is over")
    asyncio.run(lifecycle.to_its_end(platform, made, {"Command": begun}))
    assert documents.get(platform, WORKSPACE, "j").status == "Canceled"
