"""The runs of schedules."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.services.jobs import submission
from amlite.services.jobs.documents import JOB_TYPE
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.schedules import firing

WORKSPACE = f"/subscriptions/s/resourceGroups/g/providers/{WORKSPACE_TYPE}/w"
DUE = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)


@pytest.mark.attack
async def test_a_run_whose_name_a_client_took_has_another_one(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[str] = []

    async def submit(_platform: Platform, _workspace: str, name: str, _body: Any, _who: Any) -> None:
        submitted.append(name)

    monkeypatch.setattr(submission, "submit", submit)
    properties = {"action": {"actionType": "CreateJob", "jobDefinition": {"jobType": "Pipeline"}}}
    schedule = platform.store.put(
        f"{WORKSPACE}/schedules/daily", firing.TYPE, {"name": "daily", "properties": properties}
    )
    assert await firing.submit(platform, schedule, DUE) == "daily-20261130T060000Z"
    platform.store.put(f"{WORKSPACE}/jobs/daily-20261130T060000Z", JOB_TYPE, {"name": "daily-20261130T060000Z"})
    await firing.submit(platform, schedule, DUE)
    assert submitted[1].startswith("daily-20261130T060000Z-")


@pytest.mark.attack
async def test_a_schedule_whose_writer_is_gone_starts_nothing(platform: Platform) -> None:
    """Its jobs would have other rights."""
    properties = {"action": {"actionType": "CreateJob", "jobDefinition": {"jobType": "Pipeline"}}}
    schedule = platform.store.put(
        f"{WORKSPACE}/schedules/daily", firing.TYPE, {"name": "daily", "properties": properties}
    )
    firing.written(platform, Principal("object", "client"), ResourceId.of(schedule.id))
    with pytest.raises(AzureError, match="written by 'client', which does not exist any more"):
        await firing.submit(platform, schedule, DUE)
