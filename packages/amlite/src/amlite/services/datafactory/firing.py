"""Firing triggers: schedules by amlite's clock, and triggers on blobs after each change of a blob.

Only triggers that were started fire. Each due time starts the trigger's pipelines, including those that `amlite
advance` jumps over. Due times that pass while amlite is not running start nothing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.expressions import timestamp
from amlite.core.platform import Platform, isolated
from amlite.core.store import Document
from amlite.core.triggers import Trigger
from amlite.core.wire import Json
from amlite.services.datafactory import execution, expressions, parameters, runs
from amlite.services.datafactory.expressions import Context, ExpressionError
from amlite.services.datafactory.runs import TRIGGER_TYPE
from amlite.services.storage import accounts, blobs
from amlite.services.storage.blobs import BlobPath
from amlite.services.storage.changes import CREATED, Change, Changes

SCHEDULE, BLOB_EVENTS = "ScheduleTrigger", "BlobEventsTrigger"
STARTED, STOPPED = "Started", "Stopped"
_STATE = "datafactory/trigger-state"
_LONGEST_SLEEP_SECONDS = 24 * 3600.0
_log = logging.getLogger("amlite.datafactory")


@dataclass
class Firing:
    """`changed` is set after a trigger is started, stopped or deleted."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)


async def start(platform: Platform) -> None:
    """Start to fire triggers. This continues as long as amlite runs."""
    execution.end_interrupted(platform)
    for trigger in platform.store.of_type(TRIGGER_TYPE):
        _remember(platform, trigger.id, platform.clock.now())
    platform.part(Changes).listeners.append(_changed)
    platform.background(_run(platform), "firing triggers of data factories")


async def _run(platform: Platform) -> None:
    changed = platform.part(Firing).changed
    while True:
        changed.clear()
        pause = await fire_due(platform)
        await platform.clock.sleep_until(changed, min(pause, _LONGEST_SLEEP_SECONDS))


def activate(platform: Platform, trigger: Document, state: str) -> None:
    """Start or stop a trigger. Its due times count from now."""
    trigger.body["properties"]["runtimeState"] = state
    platform.store.put(trigger.id, TRIGGER_TYPE, trigger.body)
    _remember(platform, trigger.id, platform.clock.now())
    platform.part(Firing).changed.set()


def schedule_of(properties: Json, created: dt.datetime) -> Trigger:
    """Return the due times of a schedule trigger. Raises AzureError 400 for one that the service rejects."""
    recurrence = properties["typeProperties"]["recurrence"]
    return Trigger({**recurrence, "triggerType": "Recurrence"}, created)


async def fire_due(platform: Platform) -> float:
    """Fire the schedules that are due, once for each due time. Return the seconds until the next due time."""
    pause = _LONGEST_SLEEP_SECONDS
    for trigger in _started(platform, SCHEDULE):
        with isolated(f"trigger {trigger.body['name']}"):
            pause = min(pause, await _fire_due(platform, trigger))
    return max(pause, 0.0)


async def _fire_due(platform: Platform, trigger: Document) -> float:
    """Fire a trigger for each time that is due, and return the seconds until the next one.

    A jump of the clock makes many times due. Others are served meanwhile, and may stop the trigger.
    """
    created = dt.datetime.fromisoformat(trigger.body["systemData"]["createdAt"])
    times = schedule_of(trigger.body["properties"], created)
    since = _since(platform, trigger.id)
    while (due := times.next(since)) is not None and due <= platform.clock.now():
        since = due
        _remember(platform, trigger.id, due)
        scheduled = timestamp(due)
        fire(platform, trigger, {"scheduledTime": scheduled}, None, {"ScheduleTime": scheduled})
        await asyncio.sleep(0)
        now = platform.store.get(trigger.id)
        if now is None or now.etag != trigger.etag:
            return 0.0
    return (due - platform.clock.now()).total_seconds() if due else _LONGEST_SLEEP_SECONDS


def _changed(platform: Platform, change: Change) -> None:
    keys = accounts.keys_of(platform, change.account)
    for trigger in _started(platform, BLOB_EVENTS) if keys is not None else []:
        given = trigger.body["properties"]["typeProperties"]
        place = f"/{change.container}/blobs/{change.path}".lower()
        if (
            given["scope"].lower() == str((keys or {})["id"]).lower()
            and change.kind in given["events"]
            and place.startswith(str(given.get("blobPathBeginsWith") or "").lower())
            and place.endswith(str(given.get("blobPathEndsWith") or "").lower())
        ):
            platform.background(_fire_for(platform, trigger, change), f"event trigger {trigger.body['name']}")


async def _fire_for(platform: Platform, trigger: Document, change: Change) -> None:
    place = BlobPath(change.account, change.container, change.path)
    if change.kind == CREATED and trigger.body["properties"]["typeProperties"].get("ignoreEmptyBlobs"):
        async with await blobs.request(platform, "HEAD", place) as answer:
            if int(answer.headers.get("Content-Length") or 0) == 0:
                return
    folder, _, name = f"{change.container}/{change.path}".rpartition("/")
    body = {"fileName": name, "folderPath": folder}
    fire(platform, trigger, {"outputs": {"body": body}}, body, {"EventType": change.kind, **body})


def fire(platform: Platform, trigger: Document, known: Json, body: Any, shown: Json) -> None:
    """Start the pipelines of a trigger, and record it. A pipeline that cannot start makes the trigger run fail."""
    factory_id, now = trigger.id.rpartition("/triggers/")[0], platform.clock.stamp()
    factory = platform.store.get(factory_id)
    if factory is None:
        return
    kind = trigger.body["properties"]["type"]
    described = {"name": trigger.body["name"], "startTime": now, **known}
    invoked = {"id": str(uuid.uuid4()), "name": trigger.body["name"], "invokedByType": kind}
    started: dict[str, str] = {}
    message = ""
    for each in trigger.body["properties"].get("pipelines") or []:
        name = each["pipelineReference"]["referenceName"]
        context = Context(trigger=described, trigger_body=body, now=platform.clock.now())
        try:
            pipeline = parameters.pipeline_of(platform, factory_id, name)
            given = parameters.complete(pipeline, expressions.evaluate(each.get("parameters") or {}, context))
            started[name] = execution.begin(platform, factory.body, pipeline, given, invoked, described)
        except (AzureError, ExpressionError) as error:
            message = str(error)
            _log.warning("trigger %s: the pipeline %s did not start: %s", trigger.body["name"], name, error)
    record = {
        "triggerRunId": invoked["id"],
        "triggerName": trigger.body["name"],
        "triggerType": kind,
        "triggerRunTimestamp": now,
        "status": "Failed" if message else "Succeeded",
        "message": message,
        "properties": {"TriggerTime": now, **shown},
        "triggeredPipelines": started,
        "dependencyStatus": {},
        "runDimension": {},
    }
    platform.store.put(runs.key_of(factory_id, runs.TRIGGER_RUN, invoked["id"]), runs.TRIGGER_RUN, record)


def forget(platform: Platform, trigger_id: str) -> None:
    """Forget the due times of a trigger that is deleted."""
    platform.store.delete(f"{_STATE}{trigger_id}")
    platform.part(Firing).changed.set()


def _started(platform: Platform, kind: str) -> list[Document]:
    every = platform.store.of_type(TRIGGER_TYPE)
    return [
        each
        for each in every
        if each.body["properties"]["type"] == kind and each.body["properties"]["runtimeState"] == STARTED
    ]


def _since(platform: Platform, trigger_id: str) -> dt.datetime:
    document = platform.store.get(f"{_STATE}{trigger_id}")
    return dt.datetime.fromisoformat(document.body["since"]) if document else platform.clock.now()


def _remember(platform: Platform, trigger_id: str, since: dt.datetime) -> None:
    platform.store.put(f"{_STATE}{trigger_id}", _STATE, {"since": since.isoformat()})
