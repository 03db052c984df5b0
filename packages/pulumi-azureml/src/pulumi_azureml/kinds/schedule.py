"""Schedules: `pipelines/schedules/*.yml`. A trigger and the pipeline job it starts, which the schedule owns."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pulumi_azureml.operations import ownership
from pulumi_azureml.operations.connection import Workspace
from pulumi_azureml.operations.managed import ManagedKind, Props, found
from pulumi_azureml.operations.retry import confirmed, finished
from pulumi_azureml.operations.staging import load, staged
from pulumi_azureml.planning import triggers
from pulumi_azureml.planning.assets import Asset, AssetId
from pulumi_azureml.planning.documents import Document
from pulumi_azureml.planning.drafts import Draft, Drafts, compute, use
from pulumi_azureml.planning.problems import Problem, listing, suggestion
from pulumi_azureml.planning.settings import CatalogueSettings
from pulumi_azureml.resources.resource import Arguments, Resource

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from pulumi_azureml.resources.stack import Stack


@dataclass(frozen=True, kw_only=True)
class CronTrigger:
    """Fires when a cron expression of five fields says so, between two times of its time zone (ISO 8601)."""

    type: Literal["cron"] = "cron"
    expression: str
    time_zone: str | None = None
    start_time: str | None = None
    end_time: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecurrencePattern:
    """At which hours and minutes, and on which week days or days of the month, a recurrence fires."""

    hours: int | list[int]
    minutes: int | list[int]
    week_days: str | list[str] | None = None
    month_days: int | list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class RecurrenceTrigger:
    """Fires every `interval` minutes, hours, days, weeks or months, at the pattern's times."""

    type: Literal["recurrence"] = "recurrence"
    frequency: Literal["minute", "hour", "day", "week", "month"]
    interval: int
    schedule: RecurrencePattern | None = None
    time_zone: str | None = None
    start_time: str | None = None
    end_time: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs(Arguments):
    """Arguments of `Schedule`: the keys of its CLI v2 YAML.

    Attributes:
        display_name: for people.
        trigger: when it fires.
        create_job: the pipeline job it starts, as CLI v2 YAML has it; paths relative to the project. Components are
            resources, or `azureml:NAME:VERSION`.
        is_enabled: False pauses it.
    """

    kind = "schedule"

    display_name: str | None = None
    trigger: CronTrigger | RecurrenceTrigger
    create_job: Mapping[str, Any]
    is_enabled: bool = True

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the schedule and, as if it had a file of its own, its pipeline."""
        job = f"job-of-{self.name}"
        definition = self.definition()
        pipeline = {"type": "pipeline", **definition.pop("create_job")}
        return {job: ("pipeline", pipeline), f"schedule {self.name}": ("schedule", {**definition, "create_job": job})}


class Schedule(Resource[ScheduleArgs], module="azureml", name="Schedule"):
    """A schedule with the pipeline job it starts.

    Everything is updated in place; removal disables and deletes it. Fails when a schedule of the name is another
    stack's.
    """

    kind = "schedule"


class ScheduleKind(ManagedKind):
    """A cron or recurrence trigger and the pipeline it starts.

    The plan's definition holds the whole pipeline job under `create_job`, so that a schedule owns what it runs and
    never follows a file that changed later.
    """

    name = "schedule"
    loader = "load_schedule"
    schemas: ClassVar = {"": "schedule.schedule:JobScheduleSchema"}
    resource = Schedule

    def claims(self, path: str, _document: Document) -> bool:
        """Directly in `pipelines/schedules/`."""
        return re.fullmatch(r"pipelines/schedules/[^/]+\.yml", path) is not None

    def collect(self, draft: Draft, settings: CatalogueSettings) -> None:
        """Check the trigger and note the pipeline."""
        data = draft.definition
        trigger = data.get("trigger")
        if isinstance(trigger, dict):
            for error in triggers.check(trigger):
                draft.problem(("trigger", error.key), error.reason, error.fix)
        else:
            draft.problem((), "'trigger' is missing", "add `trigger:` with `type: cron` and an `expression:`")
        job = data.get("create_job")
        keys, text = (("create_job", "job"), job.get("job")) if isinstance(job, dict) else (("create_job",), job)
        if not isinstance(text, str):
            fix = "add `create_job:` with the path of a pipeline, such as `../training.yml`"
            draft.problem(("create_job",), "does not say which pipeline it starts", fix)
            return
        use(draft, keys, "pipeline", text)
        if isinstance(job, dict):
            compute(draft, ("create_job", "compute"), job.get("compute"), settings)

    def check(self, draft: Draft, drafts: Drafts, _settings: CatalogueSettings) -> Iterator[Problem]:
        """Changed inputs have to be the pipeline's."""
        job = draft.definition.get("create_job")
        target = draft.targets.get(("create_job", "job"))
        if not isinstance(job, dict) or target is None or target not in drafts:
            return
        known = drafts[target].definition.get("inputs") or {}
        for name in job.get("inputs") or {}:
            if name not in known:
                advice = suggestion(name, known, otherwise=f"use one of {listing(known)}")
                message = f"pipeline '{target.name}' has no input '{name}'"
                yield draft.document.problem(("create_job", "inputs", name), message, advice)

    def finish(self, draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
        """Put the resolved pipeline in place of its file."""
        job = draft.definition.get("create_job")
        target = draft.targets.get(("create_job", "job")) or draft.targets.get(("create_job",))
        if target is None:
            return
        updates = {key: value for key, value in job.items() if key != "job"} if isinstance(job, dict) else {}
        pipeline = resolved[target]
        draft.definition["create_job"] = _merged(copy.deepcopy(pipeline.definition), updates)
        draft.trees |= {("create_job", *keys): tree for keys, tree in pipeline.trees.items()}

    def declare(self, asset: Asset, stack: Stack) -> Resource[Any]:
        """Make the resource; it says too, for previews, which file its pipeline is from."""
        pipeline = next(each for each in asset.depends_on if each.kind == "pipeline")
        planned = stack.planned(asset, pipeline=stack.plan[pipeline.kind, pipeline.name].path)
        return self.resource(f"{self.name}-{asset.name}", planned, stack.options(asset))

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Create or replace the schedule; ownership is checked first."""
        what = f"schedule '{props['name']}'"
        existing = self._get(ml, props["name"])
        if existing is not None:
            ownership.check(what, existing.tags, props["owner"], adopt=props["adopt"])
        with staged(self.definition(props), props.get("trees", []), props["path"]) as definition:
            finished(ml.schedules.begin_create_or_update(self._entity(definition)), what)
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
        existing = confirmed(lambda: self._get(ml, props["name"]))
        if existing is None or ownership.is_foreign(existing.tags, props["owner"]):
            return
        what = f"schedule '{props['name']}'"
        if existing.is_enabled:
            finished(ml.schedules.begin_disable(props["name"]), what)
        finished(ml.schedules.begin_delete(props["name"]), what)

    @staticmethod
    def _entity(definition: dict[str, Any]) -> Any:
        from azure.ai.ml.entities import CronTrigger, JobSchedule, RecurrencePattern, RecurrenceTrigger

        # A schedule's YAML names a job's file; the plan holds the job itself, so the parts are put together here.
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


def _merged(base: dict[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged, other values replaced: what `az ml` does with a schedule's changes to its job."""
    for key, value in updates.items():
        both = isinstance(base.get(key), dict) and isinstance(value, dict)
        base[key] = _merged(base[key], value) if both else value
    return base


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


KIND = ScheduleKind()
