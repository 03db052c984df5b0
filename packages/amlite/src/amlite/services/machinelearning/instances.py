"""Compute instances: one machine each, which starts and stops by request, by its schedules, and when it is idle.

Sources: the service's OpenAPI document, "Create an Azure Machine Learning compute instance" and "Manage an Azure
Machine Learning compute instance". Here, an instance is idle while no job runs on it, because it has no notebooks.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from amlite.core import durations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.triggers import Trigger
from amlite.core.wire import Json
from amlite.services.machinelearning import quota, sizes
from amlite.services.machinelearning.references import COMPUTE_TYPE

KIND = "ComputeInstance"
RUNNING, WORKING, STOPPED = "Running", "JobRunning", "Stopped"
_ACTIVITY = "machinelearning/instance-activity"
_LEAST_IDLE, _MOST_IDLE = dt.timedelta(minutes=15), dt.timedelta(days=3)
_MOST_SCHEDULES = 4
# "ARM templates: only configurable during new compute instance creation", and the size never changes.
_FIXED = ("vmSize", "enableNodePublicIp", "idleTimeBeforeShutdown", "schedules", "personalComputeInstanceSettings")
_OURS = ("state", "lastOperation", "createdBy", "applications")
# What amlite would keep without doing it.
_NOT_HERE = {"setupScripts": "setup scripts", "customServices": "custom applications"}


@dataclass
class Instances:
    """Which instances run jobs, and an event that is set when one of them changes."""

    jobs: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def renew(self) -> None:
        """Wake everything that waits for a change."""
        self.changed.set()
        self.changed = asyncio.Event()


def prepare(platform: Platform, resource_id: ResourceId, region: str, given: Json, old: Json | None) -> Json:
    """Return the properties of an instance with those of the service. Raises AzureError 400 for what it refuses."""
    name = resource_id.name
    size = sizes.require(given.get("vmSize"))
    for key, what in _NOT_HERE.items():
        if given.get(key):
            raise _refusal(
                f"properties.properties.{key}: {what} of compute instances are not part of this local Azure."
            )
    if (given.get("sshSettings") or {}).get("sshPublicAccess") == "Enabled":
        raise _refusal("properties.properties.sshSettings: SSH to compute instances is not part of this local Azure.")
    if idle := given.get("idleTimeBeforeShutdown"):
        _idle_time(idle)
    filled = {
        "applicationSharingPolicy": "Shared",
        "computeInstanceAuthorizationType": "personal",
        "enableNodePublicIp": True,
        "enableSSO": True,
        **given,
        "vmSize": size.name.upper(),
        "sshSettings": {"sshPublicAccess": "Disabled", **(given.get("sshSettings") or {})},
    }
    if schedules := _schedules(platform, given.get("schedules"), old):
        filled["schedules"] = schedules
    if old is None:
        _check_unique(platform, resource_id, region)
        quota.require_node(platform, region, size, 1)
        return {**filled, "state": "Creating", "applications": []}
    before = old["properties"]["properties"]
    if changed := [key for key in _FIXED if key in given and filled.get(key) != before.get(key)]:
        raise _refusal(
            f"Compute instance '{name}' exists, and {', '.join(changed)} can only be set when it is created. Delete "
            "and create it."
        )
    return {**before, **filled, **{key: before[key] for key in _OURS if key in before}}


def _schedules(platform: Platform, given: Json | None, old: Json | None) -> Json:
    """Return an instance's schedules, each with its id. Raises AzureError 400 for an invalid trigger."""
    found = (given or {}).get("computeStartStop") or []
    if len(found) > _MOST_SCHEDULES:
        raise _refusal(
            f"properties.properties.schedules: a compute instance has at most {_MOST_SCHEDULES} schedules, not "
            f"{len(found)}."
        )
    known = (old or {"properties": {"properties": {}}})["properties"]["properties"].get("schedules") or {}
    ids = [each["id"] for each in known.get("computeStartStop") or []]
    made = []
    for number, each in enumerate(found):
        if not each.get("action") or not each.get("triggerType"):
            raise _refusal("properties.properties.schedules: a schedule needs an action and a triggerType.")
        _trigger(each, platform.clock.now())
        own = {
            "id": ids[number] if number < len(ids) else str(uuid.uuid4()),
            "provisioningStatus": "Completed",
            "status": each.get("status") or "Enabled",
        }
        made.append({**each, **own})
    return {"computeStartStop": made} if made else {}


def _trigger(schedule: Json, created: dt.datetime) -> Trigger:
    kind = str(schedule["triggerType"]).lower()
    settings = schedule.get(kind)
    if not settings:
        raise _refusal(f"properties.properties.schedules: the trigger {schedule['triggerType']} needs '{kind}'.")
    return Trigger({"triggerType": kind, **settings}, created)


def _idle_time(text: str) -> dt.timedelta:
    found = durations.parse(str(text))
    if found is None or not _LEAST_IDLE <= found <= _MOST_IDLE:
        raise _refusal(
            f"idleTimeBeforeShutdown: '{text}' must be an ISO 8601 duration between 15 minutes and 3 days, such as "
            "PT30M."
        )
    return found


def _check_unique(platform: Platform, resource_id: ResourceId, region: str) -> None:
    """Raise an error if another workspace has an instance of this name in the region."""
    for document in platform.store.of_type(COMPUTE_TYPE):
        is_other = document.id.lower() != str(resource_id).lower() and is_instance(document.body)
        if is_other and document.body["location"] == region and document.body["name"].lower() == resource_id.name:
            raise _refusal(
                f"The name '{resource_id.name}' is in use in {region}. Names of compute instances are unique in a "
                "region."
            )


def is_instance(compute: Json) -> bool:
    """Return whether a compute is a compute instance."""
    return str(compute["properties"].get("computeType")).lower() == KIND.lower()


def require_kind(compute: Document, kind: str, operation: str) -> None:
    """Raise the service's error unless a compute is of the kind that an operation is for."""
    found = compute.body["properties"]["computeType"]
    if found.lower() != kind.lower():
        raise AzureError(400, "UserError", f"Compute{operation} with computeType {found} is not supported.")


def created(platform: Platform, id: str) -> None:
    """Start an instance that was just created."""
    document = platform.store.get(id)
    if document is not None and is_instance(document.body) and state(document) == "Creating":
        turn(platform, document, RUNNING, "Create", platform.clock.now())
        _remember(platform, id, since=platform.clock.now())


def set_idle_time(platform: Platform, document: Document, given: str | None) -> Json:
    """Change the idle time of an instance, or switch idle shutdown off. The idle time starts again."""
    if given:
        _idle_time(given)
    document.body["properties"]["properties"]["idleTimeBeforeShutdown"] = given
    platform.store.put(document.id, document.type, document.body)
    _remember(platform, document.id, idle=platform.clock.now())
    platform.part(Instances).renew()
    return document.body


def state(document: Document) -> str:
    """Return the state of an instance."""
    return str(document.body["properties"]["properties"].get("state"))


def turn(
    platform: Platform, document: Document, wanted: str, operation: str, when: dt.datetime, by: str = "User"
) -> None:
    """Set the state of an instance after an operation, such as `Start`, that a user, schedule or idle time began."""
    inner = document.body["properties"]["properties"]
    inner["state"] = wanted
    inner["lastOperation"] = {
        "operationName": operation,
        "operationTime": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "operationStatus": "Succeeded" if wanted in (RUNNING, STOPPED) else "InProgress",
        "operationTrigger": by,
    }
    platform.store.put(document.id, document.type, document.body)
    if wanted == RUNNING:
        _remember(platform, document.id, idle=when)
    platform.part(Instances).renew()


async def until_running(platform: Platform, id: str) -> None:
    """Wait until an instance runs: a job on a stopped one is queued. Return immediately for any other compute."""
    while (document := platform.store.get(id)) is not None and is_instance(document.body):
        if state(document) in (RUNNING, WORKING):
            return
        await platform.part(Instances).changed.wait()


@contextlib.contextmanager
def working(platform: Platform, id: str) -> Iterator[None]:
    """Show that a job runs on an instance, which is not idle meanwhile."""
    document = platform.store.get(id)
    if document is None or not is_instance(document.body):
        yield
        return
    jobs, id = platform.part(Instances).jobs, document.id
    jobs[id] = jobs.get(id, 0) + 1
    _show(platform, id, RUNNING, WORKING)
    try:
        yield
    finally:
        jobs[id] -= 1
        if not jobs[id]:
            _show(platform, id, WORKING, RUNNING)
            _remember(platform, id, idle=platform.clock.now())
            platform.part(Instances).renew()


def most_jobs(compute: Json) -> int:
    """Return how many jobs an instance runs in parallel: one for each vCPU. The others are queued."""
    size = sizes.find(str(compute["properties"]["properties"].get("vmSize")))
    return size.cores if size else 1


def _show(platform: Platform, id: str, before: str, after: str) -> None:
    document = platform.store.get(id)
    if document is not None and state(document) == before:
        document.body["properties"]["properties"]["state"] = after
        platform.store.put(document.id, document.type, document.body)


def next_event(platform: Platform, document: Document) -> tuple[dt.datetime, str, str] | None:
    """Return when an instance next changes by itself: the time, `Start` or `Stop`, and what triggers it."""
    inner = document.body["properties"]["properties"]
    known = platform.store.get(f"{document.id}/activity")
    if known is None:
        return None
    since = dt.datetime.fromisoformat(known.body["since"])
    events = [
        (due, str(schedule["action"]).title(), "Schedule")
        for schedule in (inner.get("schedules") or {}).get("computeStartStop") or []
        if schedule["status"] == "Enabled" and (due := _trigger(schedule, since).next(since)) is not None
    ]
    idle, limit = known.body.get("idle"), inner.get("idleTimeBeforeShutdown")
    if idle and limit and inner["state"] == RUNNING:
        events.append((dt.datetime.fromisoformat(idle) + _idle_time(limit), "Stop", "IdleShutdown"))
    return min(events, default=None)


def apply(platform: Platform, document: Document, event: tuple[dt.datetime, str, str]) -> None:
    """Let an event that is due happen to an instance."""
    when, action, by = event
    _remember(platform, document.id, since=when)
    now = state(document)
    if action == "Start" and now == STOPPED:
        turn(platform, document, RUNNING, action, when, by)
    elif action == "Stop" and now in (RUNNING, WORKING):
        turn(platform, document, STOPPED, action, when, by)


def _remember(platform: Platform, id: str, **moments: dt.datetime) -> None:
    """Store the time `since` which an instance's schedules count, and the time since which it is `idle`."""
    known = platform.store.get(f"{id}/activity")
    now = platform.clock.now().isoformat()
    kept = known.body if known else {"since": now, "idle": now}
    body = {**kept, **{name: moment.isoformat() for name, moment in moments.items()}}
    platform.store.put(f"{id}/activity", _ACTIVITY, body)


def _refusal(message: str) -> AzureError:
    return AzureError(400, "BadRequest", message)
