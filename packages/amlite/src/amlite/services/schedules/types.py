"""Schedules as ARM resources."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from amlite.core import listing
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.triggers import Trigger
from amlite.core.wire import Json
from amlite.services.arm.resources import resource_of
from amlite.services.machinelearning import shared_assets
from amlite.services.machinelearning.published.validation import writable
from amlite.services.schedules import firing, imports, monitors
from amlite.services.schedules.firing import TYPE, Firing

_ANY_JOB: Json = {
    "actionType": "CreateJob",
    "jobDefinition": {"jobType": "Command", "command": "true", "environmentId": "any"},
}


def _prepare(platform: Platform, resource_id: ResourceId, body: Json, old: Json | None) -> Json:
    given = (body.get("properties") or {}).get("action")
    monitor = given.get("monitorDefinition") if isinstance(given, dict) else None
    data_import = given.get("dataImportDefinition") if isinstance(given, dict) else None
    if monitor is not None or data_import is not None:
        # The published models have another form of monitors than azure-ai-ml sends, and no imports.
        body = {**body, "properties": {**body["properties"], "action": _ANY_JOB}}
    body = writable("Schedule", body)
    properties = body["properties"]
    if monitor is not None:
        found = monitors.checked(platform, str(resource_id.parent), monitor)
        properties["action"] = {"actionType": "CreateMonitor", "monitorDefinition": found}
    elif data_import is not None:
        imports.check(data_import)
        properties["action"] = {"actionType": "ImportData", "dataImportDefinition": data_import}
    action = properties["action"]
    if action["actionType"].lower() not in ("createjob", "createmonitor", "importdata"):
        raise AzureError(
            400, "UserError", f"Schedules with the action '{action['actionType']}' are not part of this local Azure."
        )
    source = action.get("jobDefinition", {}).get("sourceJobId")
    if source is not None:
        firing.source_job(platform, str(resource_id.parent), source)
    Trigger(properties["trigger"], platform.clock.now())
    enabled = properties.get("isEnabled", True)
    changed = old is None or old["properties"]["trigger"] != properties["trigger"] or not old["properties"]["isEnabled"]
    if changed:
        firing.remember(platform, str(resource_id), created=platform.clock.now(), since=platform.clock.now())
    return {**body, "properties": {"tags": {}, "properties": {}, **properties, "isEnabled": enabled}}


async def _created(platform: Platform, _resource_id: ResourceId) -> None:
    platform.part(Firing).changed.set()


async def _trigger(platform: Platform, resource_id: ResourceId, _body: Json) -> Any:
    schedule = resource_of(platform, resource_id)
    name = await firing.submit(platform, schedule, platform.clock.now(), f"-{uuid.uuid4().hex[:6]}")
    return {"scheduleActionType": schedule.body["properties"]["action"]["actionType"], "submissionId": name}


def _listed(bodies: list[Json], query: Mapping[str, str]) -> list[Json]:
    """Return the enabled schedules, unless `listViewType` is All or DisabledOnly."""
    view = listing.view_type(query, "EnabledOnly")
    if view == "all":
        return bodies
    return [body for body in bodies if body["properties"]["isEnabled"] is (view != "disabledonly")]


def _check_deletion(_platform: Platform, _resource_id: ResourceId, body: Json) -> None:
    if body["properties"]["isEnabled"]:
        raise AzureError(
            400, "UserError", f"Schedule '{body['name']}' is enabled; it must be disabled before it can be deleted."
        )


TYPES = [
    ResourceType(
        TYPE,
        pattern=r"[a-zA-Z0-9][\w-]{0,254}",
        rule="Schedule names are 1-255 letters, digits, hyphens and underscores and begin with a letter or digit.",
        located=False,
        asynchronous=True,
        names=shared_assets.links,
        written=firing.written,
        prepare=_prepare,
        created=_created,
        check_deletion=_check_deletion,
        listed=_listed,
        actions={"trigger": _trigger},
    )
]
