"""Schedules: replaced in place, paused before they are deleted."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import arm, ownership
from pulumi_azureml.operations.connection import Workspace
from pulumi_azureml.operations.kind import Operations, Props, found
from pulumi_azureml.operations.retry import confirmed, finished
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.kinds import schedule
from pulumi_azureml.planning.references import parse

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# The API version of azure-ai-ml for schedules: later ones spell a monitor differently.
_MONITORS = "2023-06-01-preview"


class ScheduleOperations(Operations):
    """A schedule, and the pipeline job, the monitor or the import of data that it starts.

    The definition holds the whole job under `create_job`, or a reference to one that ran in the workspace, or the
    monitor under `create_monitor`, or the import under `import_data`. Further input: `pipeline`, the file that defines
    the job, for previews.
    """

    planned = schedule.KIND

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or replace the schedule, after checking its owner."""
        what = f"schedule '{props['name']}'"
        existing = self._get(ml, props["name"])
        if existing is not None:
            ownership.check(what, existing.tags, props["owner"], adopt=props["adopt"])
        with staged(self.definition(props), props.get("trees", []), props["path"]) as definition:
            finished(ml.schedules.begin_create_or_update(self._entity(definition, Workspace.of(props).id)), what)
        # The client's schedule entities have no id.
        return {"resource_id": f"{Workspace.of(props).id}/schedules/{props['name']}"}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Read it back. Changes by others show in `content_hash` and `definition`."""
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
        """Disable, then delete: Azure ML refuses to delete an enabled schedule. Skip another stack's schedule."""
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is None or ownership.is_foreign(existing.tags, props["owner"]):
            return
        what = f"schedule '{props['name']}'"
        if existing.is_enabled and _is_for_azure_only(props["definition"]):
            _disable(f"{Workspace.of(props).id}/schedules/{props['name']}")
        elif existing.is_enabled:
            finished(ml.schedules.begin_disable(props["name"]), what)
        finished(ml.schedules.begin_delete(props["name"]), what)

    @staticmethod
    def _entity(definition: dict[str, Any], workspace_id: str) -> Any:
        from azure.ai.ml.entities import CronTrigger, JobSchedule, RecurrencePattern, RecurrenceTrigger

        if "create_job" not in definition or schedule.repeats(definition["create_job"]):
            definition = _with_id_of_job(definition, workspace_id)
            content = {key: value for key, value in definition.items() if key != "is_enabled"}
            entity = load("load_schedule", content)
            entity._is_enabled = definition.get("is_enabled", True)  # the loader does not take it
            return entity
        # A schedule's YAML names a job's file. The plan holds the job itself, so assemble both here.
        trigger = dict(definition["trigger"])
        if trigger.pop("type") == "cron":
            when: CronTrigger | RecurrenceTrigger = CronTrigger(**trigger)
        else:
            pattern = trigger.pop("schedule", None)
            when = RecurrenceTrigger(**trigger, schedule=RecurrencePattern(**pattern) if pattern else None)
        return JobSchedule(
            name=definition["name"],
            trigger=when,
            create_job=load("load_job", definition["create_job"]),
            display_name=definition.get("display_name"),
            description=definition.get("description"),
            tags=definition["tags"],
            is_enabled=definition.get("is_enabled", True),
        )

    @staticmethod
    def _get(ml: MLClient, name: str) -> Any | None:
        return found(lambda: ml.schedules.get(name))


def _with_id_of_job(definition: dict[str, Any], workspace_id: str) -> dict[str, Any]:
    """Refer to the job that a schedule repeats by its id. azure-ai-ml would send the name alone."""
    job = definition.get("create_job")
    text = job.get("job") if isinstance(job, dict) else job
    reference = parse(text, folder="") if isinstance(text, str) else None
    if reference is None or not reference.name:
        return definition
    id_ = f"azureml:{workspace_id}/jobs/{reference.name}"
    return {**definition, "create_job": {**job, "job": id_} if isinstance(job, dict) else id_}


def _is_for_azure_only(definition: dict[str, Any]) -> bool:
    """Whether azure-ai-ml may be unable to send a schedule back that it has read.

    It looks the deployment of a monitor up, which a rollout may have deleted, and it does not write loops that it read.
    """
    job = definition.get("create_job")
    return "create_monitor" in definition or (isinstance(job, dict) and control_flow.first(job) is not None)


def _disable(resource_id: str) -> None:
    """Disable a schedule as it is."""
    body = arm.send("GET", resource_id, _MONITORS)
    properties = {**body["properties"], "isEnabled": False}
    arm.finish("PUT", resource_id, _MONITORS, body={"properties": properties})


def _part(there: Any, key: str) -> Any:
    return there.get(key) if isinstance(there, dict) else getattr(there, key, None)


def _as_wanted(there: Any, wanted: Any) -> Any:
    """Return the wanted value if Azure's is equivalent (case, one item or a list), else Azure's value."""
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


OPERATIONS = ScheduleOperations()
