"""Schedules: a trigger, and the pipeline job, the monitor or the import of data that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, overload

import pulumi

from pulumi_azureml.planning import Asset
from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.declarations import Declarations
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class CronTriggerArgs:
    """Fires by a cron expression of five fields. The start and end times are ISO 8601 in its time zone."""

    type: Literal["cron"] = "cron"
    expression: str
    time_zone: str | None = None
    start_time: str | None = None
    end_time: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecurrencePatternArgs:
    """The hours and minutes, and the weekdays or days of the month, at which a recurrence fires."""

    hours: int | list[int]
    minutes: int | list[int]
    week_days: str | list[str] | None = None
    month_days: int | list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class RecurrenceTriggerArgs:
    """Fires every `interval` minutes, hours, days, weeks or months, at the pattern's times."""

    type: Literal["recurrence"] = "recurrence"
    frequency: Literal["minute", "hour", "day", "week", "month"]
    interval: int
    schedule: RecurrencePatternArgs | None = None
    time_zone: str | None = None
    start_time: str | None = None
    end_time: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs(Arguments):
    """Arguments of `Schedule`: the keys of its CLI v2 YAML.

    Attributes:
        display_name: a name for users.
        trigger: when the schedule fires.
        create_job: the pipeline job that it starts, as in CLI v2 YAML. Paths are relative to the project. Components
            are resources or `azureml:NAME:VERSION`.
        create_monitor: the monitor that it starts instead, as in CLI v2 YAML.
        import_data: the import of data that it starts instead, as in CLI v2 YAML.
        is_enabled: False pauses the schedule.
    """

    kind = "schedule"

    display_name: pulumi.Input[str] | None = None
    trigger: CronTriggerArgs | RecurrenceTriggerArgs
    create_job: Mapping[str, Any] | None = None
    create_monitor: Mapping[str, Any] | None = None
    import_data: Mapping[str, Any] | None = None
    is_enabled: bool = True

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the schedule, and its pipeline under the name of a file."""
        if [self.create_job, self.create_monitor, self.import_data].count(None) != 2:
            raise pulumi.RunError(
                f"schedule '{self.name}': give one of `create_job`, `create_monitor` and `import_data`"
            )
        job = f"job-of-{self.name}"
        definition = self.definition()
        if self.create_job is None:
            return {f"schedule {self.name}": ("schedule", definition)}
        pipeline = {"type": "pipeline", **definition.pop("create_job")}
        return {
            job: ("pipeline_job", pipeline),
            f"schedule {self.name}": ("schedule", {**definition, "create_job": job}),
        }


class Schedule(Resource, module="azureml", name="Schedule"):
    """A schedule with the pipeline job, the monitor or the import of data that it starts.

    Updates are in place. Removal disables and deletes the schedule. Fails if a schedule of that name belongs to another
    stack.
    """

    kind = "schedule"
    arguments = ScheduleArgs

    @overload
    def __init__(self, resource_name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        *,
        opts: pulumi.ResourceOptions | None = None,
        workspace: WorkspaceArgs | RegistryArgs,
        name: str = "",
        description: pulumi.Input[str] | None = None,
        tags: Mapping[str, pulumi.Input[str]] | None = None,
        display_name: pulumi.Input[str] | None = None,
        trigger: CronTriggerArgs | RecurrenceTriggerArgs,
        create_job: Mapping[str, Any] | None = None,
        create_monitor: Mapping[str, Any] | None = None,
        import_data: Mapping[str, Any] | None = None,
        is_enabled: bool = True,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: ScheduleArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)

    @classmethod
    def declare(cls, asset: Asset, declarations: Declarations) -> Self | None:
        """Add the pipeline's file, if it has one, for previews. Return None while a monitor's deployment waits."""
        if asset.waiting_for is not None:
            return None
        pipeline = next((each for each in asset.depends_on if each.kind == "pipeline_job"), None)
        if pipeline is None:
            return cls.of(asset, declarations, declarations.planned(asset))
        path = declarations.args.plan[pipeline.kind, pipeline.name].path
        return cls.of(asset, declarations, declarations.planned(asset, pipeline=path))


RESOURCE = Schedule
