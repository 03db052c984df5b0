"""A job from its beginning to its end."""

from __future__ import annotations

import asyncio

import pytest

from amlite.core.platform import Platform
from amlite.services.jobs import documents, lifecycle
from amlite.services.jobs.documents import JOB_TYPE, Job
from amlite.services.machinelearning.references import WORKSPACE_TYPE

WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"


@pytest.fixture(autouse=True)
def no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no MLflow."""
    for each in ("prewarm", "start_run", "end_run"):
        monkeypatch.setattr(lifecycle.tracking, each, lambda *_: None)


def job(platform: Platform) -> Job:
    """Write down a job that has not begun, in a workspace whose MLflow nobody has asked for."""
    properties = {"workspaceId": "w-1", "mlFlowTrackingUri": "azureml://westeurope.api.azureml.ms/mlflow/v1.0/w"}
    platform.store.put(WORKSPACE, WORKSPACE_TYPE, {"id": WORKSPACE, "name": "w", "properties": properties})
    wanted = {"jobType": "Command", "status": "NotStarted", "experimentName": "e"}
    platform.store.put(f"{WORKSPACE}/jobs/j", JOB_TYPE, {"name": "j", "properties": wanted, "run": {}})
    return documents.get(platform, WORKSPACE, "j")


def test_a_job_that_is_canceled_before_it_begins_never_begins(platform: Platform) -> None:
    async def begun(*_: object) -> None:
        pytest.fail("it began")

    made = job(platform)
    lifecycle.cancel(platform, made, "the sweep's time limit is over")
    asyncio.run(lifecycle.to_its_end(platform, made, {"Command": begun}))
    assert documents.get(platform, WORKSPACE, "j").status == "Canceled"


def with_children(platform: Platform) -> Job:
    """Write down a job whose child and grandchild have not begun."""
    made = job(platform)
    for name, below in (("j", "c"), ("c", "g"), ("g", None)):
        body = {
            "name": name,
            "properties": {**made.properties},
            "run": {"children": {"step": below}} if below else {},
        }
        platform.store.put(f"{WORKSPACE}/jobs/{name}", JOB_TYPE, body)
    return documents.get(platform, WORKSPACE, "j")


def statuses(platform: Platform) -> list[str]:
    return [documents.get(platform, WORKSPACE, name).status for name in ("j", "c", "g")]


def test_children_of_a_canceled_job_end_even_if_they_never_began(platform: Platform) -> None:
    """As after a restart of amlite, and when the request comes before the steps have tasks."""

    async def begun(*_: object) -> None:
        pytest.fail("it began")

    made = with_children(platform)
    lifecycle.request_cancel(platform, made, "canceled by request")
    assert statuses(platform) == ["CancelRequested"] * 3
    asyncio.run(lifecycle.to_its_end(platform, made, {"Command": begun}))
    assert statuses(platform) == ["Canceled"] * 3
    assert documents.get(platform, WORKSPACE, "g").run["cancel"] == "canceled by request"


def test_children_of_a_failed_job_that_never_began_are_canceled(platform: Platform) -> None:
    async def fail(*_: object) -> None:
        raise lifecycle.JobFailure("UserError", "no")

    asyncio.run(lifecycle.to_its_end(platform, with_children(platform), {"Command": fail}))
    assert statuses(platform) == ["Failed", "Canceled", "Canceled"]
