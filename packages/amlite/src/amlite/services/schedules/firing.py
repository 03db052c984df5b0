"""Firing schedules.

Each due time starts one job, including those that `amlite advance` jumps over. Due times that pass while amlite is not
running start no job.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from dataclasses import dataclass, field
from typing import Any

from amlite.core import directory
from amlite.core.access import Principal, is_below
from amlite.core.errors import AzureError
from amlite.core.platform import Platform, isolated
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.triggers import Trigger
from amlite.core.wire import Json
from amlite.services.jobs import documents, submission
from amlite.services.jobs.documents import JOB_TYPE
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import WORKSPACE_TYPE
from amlite.services.schedules import imports, monitors

TYPE = f"{WORKSPACE_TYPE}/schedules"
# What azure-ai-ml sends of a job that a schedule repeats, if the schedule changes nothing.
_UNSAID: tuple[Any, ...] = ({}, [], "", None)
_STATE_TYPE = "machinelearning/schedule-state"
_AUTHOR_TYPE = "machinelearning/schedule-author"
_LONGEST_SLEEP_SECONDS = 24 * 3600.0
_log = logging.getLogger("amlite.schedules")


@dataclass
class Firing:
    """`changed` is set after a schedule is created or changed."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)


async def start(platform: Platform) -> None:
    """Start to fire schedules. This continues as long as amlite runs."""
    for schedule in platform.store.of_type(TYPE):
        remember(platform, schedule.id, since=platform.clock.now())
    platform.background(_run(platform), "firing schedules")


async def _run(platform: Platform) -> None:
    changed = platform.part(Firing).changed
    while True:
        changed.clear()
        pause = await fire_due(platform)
        await platform.clock.sleep_until(changed, min(pause, _LONGEST_SLEEP_SECONDS))


async def fire_due(platform: Platform) -> float:
    """Fire the schedules that are due, once for each due time, and return the seconds until the next due time."""
    pause = _LONGEST_SLEEP_SECONDS
    for schedule in list(platform.store.of_type(TYPE)):
        if not schedule.body["properties"]["isEnabled"]:
            continue
        with isolated(f"schedule {schedule.body['name']}"):
            pause = min(pause, await _fire_due(platform, schedule))
    return max(pause, 0.0)


async def _fire_due(platform: Platform, schedule: Document) -> float:
    """Fire a schedule for each time that is due, and return the seconds until the next one."""
    while (due := next_due(platform, schedule)) is not None and due <= platform.clock.now():
        remember(platform, schedule.id, since=due)
        try:
            await submit(platform, schedule, due)
        except AzureError as error:
            # As in Azure, the schedule continues with the next due time. The log contains the reason.
            _log.warning("schedule %s, due %s: %s", schedule.body["name"], due.isoformat(), error)
    return (due - platform.clock.now()).total_seconds() if due else _LONGEST_SLEEP_SECONDS


def next_due(platform: Platform, schedule: Document) -> dt.datetime | None:
    """Return the next due time (UTC) of a schedule, enabled or not, or None if the schedule has ended."""
    state = _state(platform, schedule.id)
    trigger = Trigger(schedule.body["properties"]["trigger"], dt.datetime.fromisoformat(state["created"]))
    return trigger.next(dt.datetime.fromisoformat(state["since"]))


async def submit(platform: Platform, schedule: Document, due: dt.datetime, suffix: str = "") -> str:
    """Submit the job of a schedule that is due, as who wrote the schedule, and return the job's name.

    Raises AzureError.
    """
    workspace_id = schedule.id.rpartition("/schedules/")[0]
    wanted = f"{schedule.body['name']}-{due.strftime('%Y%m%dT%H%M%SZ')}{suffix}"
    name = documents.free_name(platform, workspace_id, wanted)
    action = schedule.body["properties"]["action"]
    if "monitorDefinition" in action:
        return monitors.submit(platform, schedule, due, name)
    if "dataImportDefinition" in action:
        return imports.submit(platform, schedule, due, name)
    definition: Json = action["jobDefinition"]
    if source := definition.get("sourceJobId"):
        document = source_job(platform, workspace_id, source)
        given = {name: value for name, value in definition.items() if name != "sourceJobId" and value not in _UNSAID}
        definition = {**writable("JobBase", document.body)["properties"], **given}
    properties = {
        **(definition.get("properties") or {}),
        "azureml.scheduleName": schedule.body["name"],
        "azureml.scheduledTime": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    body = {"properties": {**definition, "properties": properties}}
    body["properties"]["displayName"] = definition.get("displayName") or name
    await submission.submit(platform, workspace_id, name, body, _author(platform, schedule))
    return name


def written(platform: Platform, principal: Principal, schedule_id: ResourceId) -> None:
    """Keep who wrote a schedule: its jobs act as them."""
    body = {"objectId": principal.object_id, "clientId": principal.client_id}
    platform.store.put(f"{schedule_id}/author", _AUTHOR_TYPE, body)


def _author(platform: Platform, schedule: Document) -> Principal | None:
    """Return who wrote a schedule, or None if an earlier version of amlite did not keep it."""
    document = platform.store.get(f"{schedule.id}/author")
    if document is None:
        return None
    author = Principal(document.body["objectId"], document.body["clientId"])
    if directory.kind_of(platform.store, author.object_id) is None:
        raise AzureError(
            403,
            "AuthorizationFailed",
            f"The schedule '{schedule.body['name']}' was written by '{author.client_id}', which does not exist any "
            "more. Update the schedule.",
        )
    return author


def source_job(platform: Platform, workspace_id: str, job_id: str) -> Document:
    """Return the job that a schedule repeats. Raises AzureError 400 unless the schedule's workspace has it.

    azure-ai-ml sends `create_job: azureml:NAME` as the name alone.
    """
    if "/" not in job_id:
        job_id = f"{workspace_id}/jobs/{job_id}"
    document = platform.store.get(job_id)
    if document is None or not is_below(job_id, f"{workspace_id}/jobs") or document.type != JOB_TYPE.lower():
        raise AzureError(400, "UserError", f"The job '{job_id}' was not found in the schedule's workspace.")
    return document


def _state(platform: Platform, schedule_id: str) -> Json:
    document = platform.store.get(f"{schedule_id}/state")
    now = platform.clock.now().isoformat()
    return document.body if document else {"created": now, "since": now}


def remember(platform: Platform, schedule_id: str, **moments: dt.datetime) -> None:
    """Store the time at which a schedule was `created`, and the time `since` which its due times count."""
    state = {**_state(platform, schedule_id), **{name: moment.isoformat() for name, moment in moments.items()}}
    platform.store.put(f"{schedule_id}/state", _STATE_TYPE, state)
