"""Schedules: a trigger and the pipeline job it starts, which the schedule owns."""

from __future__ import annotations

import io
from enum import Enum
from typing import TYPE_CHECKING, Any

import yaml

from infra.azureml import ownership
from infra.azureml.connection import Workspace, project_root
from infra.azureml.kinds.kind import Kind, Props
from infra.azureml.staging import staged

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


class ScheduleKind(Kind):
    """A schedule; its definition holds the whole pipeline job, so it never follows a file that changed later."""

    name = "schedule"

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or replace the schedule; ownership is checked first."""
        existing = self._get(ml, props["name"])
        if existing is not None:
            ownership.check(f"schedule '{props['name']}'", existing.tags, props["owner"], adopt=props["adopt"])
        with staged({**props["definition"], **props["metadata"]}, props.get("trees", []), props["path"]) as definition:
            ml.schedules.begin_create_or_update(self._entity(definition, props)).result()
        # The client's schedules know no id.
        return {"resource_id": f"{Workspace.of(props).id}/schedules/{props['name']}"}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back; what others replaced, paused or moved shows in `content_hash` and `definition`."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, ownership.CHANGED)
        definition = dict(props["definition"])
        if existing.is_enabled != definition.get("is_enabled", True):
            definition["is_enabled"] = existing.is_enabled
        definition["trigger"] = {
            key: value if key == "type" else _as_wanted(_part(existing.trigger, key), value)
            for key, value in definition["trigger"].items()
        }
        if definition != props["definition"]:
            content = ownership.CHANGED
        metadata = ownership.observed(existing, props["metadata"])
        return {**props, "content_hash": content, "definition": definition, "metadata": metadata}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Disable, then delete: Azure ML refuses to delete an enabled schedule. Another stack's is left alone."""
        existing = self._get(ml, props["name"])
        if existing is None or ownership.is_foreign(existing.tags, props["owner"]):
            return
        if existing.is_enabled:
            ml.schedules.begin_disable(props["name"]).result()
        ml.schedules.begin_delete(props["name"]).result()

    @staticmethod
    def _entity(definition: dict[str, Any], props: Props) -> Any:
        from azure.ai.ml import load_job
        from azure.ai.ml.entities import CronTrigger, JobSchedule, RecurrencePattern, RecurrenceTrigger

        # A schedule's YAML names a job's file; the plan holds the job itself, so the parts are put together here.
        text = io.StringIO(yaml.safe_dump(definition["create_job"], sort_keys=False))
        trigger = dict(definition["trigger"])
        if trigger.pop("type") == "cron":
            when: CronTrigger | RecurrenceTrigger = CronTrigger(**trigger)
        else:
            pattern = trigger.pop("schedule", None)
            when = RecurrenceTrigger(**trigger, schedule=RecurrencePattern(**pattern) if pattern else None)
        return JobSchedule(
            name=props["name"],
            trigger=when,
            create_job=load_job(text, relative_origin=str(project_root() / "Pulumi.yaml")),
            display_name=definition.get("display_name"),
            description=definition.get("description"),
            tags=ownership.tagged(definition.get("tags"), props["owner"], props["content_hash"]),
            is_enabled=definition.get("is_enabled", True),
        )

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return ml.schedules.get(name)
        except ResourceNotFoundError:
            return None


def _part(there: Any, key: str) -> Any:
    return there.get(key) if isinstance(there, dict) else getattr(there, key, None)


def _as_wanted(there: Any, wanted: Any) -> Any:
    """Return the wanted value where Azure's says the same in another form (case, one item or a list), else Azure's."""
    if isinstance(wanted, dict):
        return {key: _as_wanted(_part(there, key), value) for key, value in wanted.items()}
    return wanted if _plain(there) == _plain(wanted) else _shown(there)


def _plain(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return sorted(str(_shown(each)).lower() for each in values)


def _shown(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return value.value if isinstance(value, Enum) else value
