"""Schedules: a trigger and the pipeline job it starts, which the schedule owns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import yaml

from infra.azureml import ownership
from infra.azureml.connection import project_root
from infra.azureml.kinds.kind import Kind, Props

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
        written = ml.schedules.begin_create_or_update(self._entity(props)).result()
        return {"resource_id": written.id}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back; one that was replaced or paused by others shows another content hash."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return None
        content = (existing.tags or {}).get(ownership.CONTENT, "changed outside of this project")
        if not existing.is_enabled:
            content = "paused outside of this project"
        return {**props, "content_hash": content}

    def remove(self, ml: MLClient, props: Props) -> None:
        """Disable, then delete: Azure ML refuses to delete an enabled schedule."""
        existing = self._get(ml, props["name"])
        if existing is None:
            return
        if existing.is_enabled:
            ml.schedules.begin_disable(props["name"]).result()
        ml.schedules.begin_delete(props["name"]).result()

    @staticmethod
    def _entity(props: Props) -> Any:
        from azure.ai.ml import load_job
        from azure.ai.ml.entities import CronTrigger, JobSchedule, RecurrencePattern, RecurrenceTrigger

        # A schedule's YAML names a job's file; the plan holds the job itself, so the parts are put together here.
        definition = {**props["definition"], **props["metadata"]}
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
