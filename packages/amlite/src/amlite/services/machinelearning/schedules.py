"""Schedules: kept as ARM resources, fired on amlite's clock.

Every due time makes one job, also those that `amlite advance` jumps over. What fell due while amlite was not running is
not made up for.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import uuid
from typing import Any

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published.validation import writable
from amlite.core.resource_id import ResourceId
from amlite.core.routing import Call, Routes, reply
from amlite.core.store import Document
from amlite.services.arm import routes as arm
from amlite.services.arm.types import Json, ResourceType
from amlite.services.machinelearning.references import WORKSPACE_TYPE, workspace
from amlite.services.machinelearning.triggers import Trigger

TYPE = f"{WORKSPACE_TYPE}/schedules"
_STATE_TYPE = "machinelearning/schedule-state"
_PART = "schedules"
_LONGEST_SLEEP_SECONDS = 24 * 3600.0
_log = logging.getLogger("amlite.schedules")
_SCHEDULES = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices"
    "/workspaces/{workspace}/schedules"
)
routes = Routes("management.azure.com")


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    body = writable("Schedule", body)
    properties = body["properties"]
    action = properties["action"]
    if action["actionType"].lower() != "createjob":
        raise AzureError(
            400, "UserError", f"Schedules with the action '{action['actionType']}' are not part of this local Azure."
        )
    source = action["jobDefinition"].get("sourceJobId")
    if source is not None and platform.store.get(source) is None:
        raise AzureError(
            400, "UserError", f"The job '{source}' that schedule '{resource_id.name}' names was not found."
        )
    Trigger(properties["trigger"], platform.clock.now())
    enabled = properties.get("isEnabled", True)
    changed = old is None or old["properties"]["trigger"] != properties["trigger"] or not old["properties"]["isEnabled"]
    if changed:
        _remember(platform, str(resource_id), created=platform.clock.now(), since=platform.clock.now())
    return {**body, "properties": {"tags": {}, "properties": {}, **properties, "isEnabled": enabled}}


async def _created(platform: Platform, _resource_id: ResourceId) -> None:
    _wake(platform)


async def _trigger(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    schedule = arm.resource_of(platform, resource_id)
    name = await _submit(platform, schedule, platform.clock.now(), f"-{uuid.uuid4().hex[:6]}")
    return {"scheduleActionType": "CreateJob", "submissionId": name}


@routes.get(_SCHEDULES)
async def list_schedules(call: Call) -> web.Response:
    """List a workspace's schedules: the enabled ones unless `listViewType` says All or DisabledOnly."""
    owner = workspace(call.platform, call.path.rstrip("/").rpartition("/")[0])
    view = call.query.get("listViewType", "EnabledOnly").rpartition(".")[2].replace("_", "").lower()
    found = [doc.body for doc in call.platform.store.below(owner.id, TYPE)]
    if view != "all":
        found = [body for body in found if body["properties"]["isEnabled"] is (view != "disabledonly")]
    return reply({"value": found})


@routes.delete(_SCHEDULES + "/{name}")
async def delete_schedule(call: Call) -> web.StreamResponse:
    """Delete a schedule, which must have been disabled first."""
    document = call.platform.store.get(call.path.rstrip("/"))
    if document is not None and document.body["properties"]["isEnabled"]:
        raise AzureError(
            400,
            "UserError",
            f"Schedule '{document.body['name']}' is enabled; it must be disabled before it can be deleted.",
        )
    return await arm.resource(call)


async def start(platform: Platform) -> None:
    """Begin to fire schedules, for as long as amlite runs."""
    platform.parts[_PART] = asyncio.Event()
    for schedule in platform.store.of_type(TYPE):
        _remember(platform, schedule.id, since=platform.clock.now())
    task = asyncio.create_task(_run(platform), name="schedules")
    task.add_done_callback(_ended)
    platform.parts[f"{_PART}/task"] = task  # the loop itself keeps no task alive


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("schedules no longer fire", exc_info=error)


async def _run(platform: Platform) -> None:
    changed: asyncio.Event = platform.parts[_PART]
    while True:
        changed.clear()
        pause = await fire_due(platform)
        sleeping = asyncio.ensure_future(platform.clock.sleep(min(pause, _LONGEST_SLEEP_SECONDS)))
        waiting = asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait((sleeping, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, waiting):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def fire_due(platform: Platform) -> float:
    """Fire what is due now, once for each due time, and return the seconds until the next one."""
    pause = _LONGEST_SLEEP_SECONDS
    for schedule in list(platform.store.of_type(TYPE)):
        if not schedule.body["properties"]["isEnabled"]:
            continue
        while (due := next_due(platform, schedule)) is not None and due <= platform.clock.now():
            _remember(platform, schedule.id, since=due)
            try:
                await _submit(platform, schedule, due)
            except AzureError as error:
                # Azure too goes on with the next due time; the user finds the reason in the log.
                _log.warning("schedule %s, due %s: %s", schedule.body["name"], due.isoformat(), error)
        if due is not None:
            pause = min(pause, (due - platform.clock.now()).total_seconds())
    return max(pause, 0.0)


def next_due(platform: Platform, schedule: Document) -> dt.datetime | None:
    """Return when a schedule fires next (UTC), whether it is enabled or not; None when it has ended."""
    state = _state(platform, schedule.id)
    trigger = Trigger(schedule.body["properties"]["trigger"], dt.datetime.fromisoformat(state["created"]))
    return trigger.next(dt.datetime.fromisoformat(state["since"]))


async def _submit(platform: Platform, schedule: Document, due: dt.datetime, suffix: str = "") -> str:
    from amlite.services.jobs import submit

    definition: Json = schedule.body["properties"]["action"]["jobDefinition"]
    if source := definition.get("sourceJobId"):
        document = platform.store.get(source)
        if document is None:
            raise AzureError(400, "UserError", f"The job '{source}' was not found.")
        given = {name: value for name, value in definition.items() if name != "sourceJobId" and value not in ({}, [])}
        definition = {**writable("JobBase", document.body)["properties"], **given}
    name = f"{schedule.body['name']}-{due.strftime('%Y%m%dT%H%M%SZ')}{suffix}"
    properties = {
        **(definition.get("properties") or {}),
        "azureml.scheduleName": schedule.body["name"],
        "azureml.scheduledTime": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    body = {"properties": {**definition, "properties": properties}}
    body["properties"]["displayName"] = definition.get("displayName") or name
    await submit(platform, schedule.id.rpartition("/schedules/")[0], name, body)
    return name


def _state(platform: Platform, schedule_id: str) -> Json:
    document = platform.store.get(f"{schedule_id}/state")
    now = platform.clock.now().isoformat()
    return document.body if document else {"created": now, "since": now}


def _remember(platform: Platform, schedule_id: str, **moments: dt.datetime) -> None:
    state = {**_state(platform, schedule_id), **{name: moment.isoformat() for name, moment in moments.items()}}
    platform.store.put(f"{schedule_id}/state", _STATE_TYPE, state)


def _wake(platform: Platform) -> None:
    changed: asyncio.Event | None = platform.parts.get(_PART)
    if changed is not None:
        changed.set()


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[a-zA-Z0-9][\w-]{0,254}",
        rule="Schedule names are 1-255 letters, digits, hyphens and underscores and begin with a letter or digit.",
        located=False,
        asynchronous=True,
        prepare=_prepare,
        created=_created,
        actions={"trigger": _trigger},
    )
]
