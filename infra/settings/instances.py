"""The settings of compute instances: the entries of `azureml-platform:instances`."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from infra.settings.group import Group, Guid
from pulumi_azureml.planning import trigger_problems

_DURATION = TypeAdapter(timedelta)
_LEAST_IDLE, _MOST_IDLE = timedelta(minutes=15), timedelta(days=3)


def _idle_time(value: str) -> str:
    try:
        found = _DURATION.validate_python(value) if value.startswith("P") else None
    except ValueError:
        found = None
    if found is None or not _LEAST_IDLE <= found <= _MOST_IDLE:
        raise ValueError("must be an ISO 8601 duration from 15 minutes to 3 days, such as PT1H")
    return value


class PowerAction(StrEnum):
    """What a schedule does."""

    START = "start"
    STOP = "stop"


class InstanceSchedule(Group):
    """A schedule of a compute instance."""

    action: PowerAction = Field(description="`start` or `stop`.")
    cron: str = Field(
        description="Cron expression: minute, hour, `*`, `*` and day of week. Azure ignores days of the month and "
        "months.",
        examples=["0 18 * * 1-5"],
    )
    time_zone: str = Field(
        default="UTC",
        description="Time zone of the expression, by its Windows name.",
        examples=["W. Europe Standard Time"],
    )

    @model_validator(mode="before")
    @classmethod
    def _trigger(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("cron"), str):
            zone = value.get("timeZone", value.get("time_zone", "UTC"))
            trigger = {"type": "cron", "expression": value["cron"], "time_zone": zone}
            if problems := trigger_problems(trigger, recurrences=False):
                raise ValueError("; ".join(f"{each.reason}: {each.fix}" for each in problems))
        return value


class InstanceSettings(Group):
    """A compute instance: the machine of one data scientist. Asset files can refer to it as `azureml:<name>`."""

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$",
        description="Name of the instance. 3-24 letters, digits or hyphens, starting with a letter. Azure requires a "
        "name that no other instance in the region has, in any subscription.",
        examples=["ci-anna-flights-dev"],
    )
    vm_size: str = Field(
        pattern=r"^(Standard|STANDARD)_[A-Za-z0-9_-]+$",
        description="Virtual machine size. Azure does not change the size of an instance, so the stack replaces it.",
        examples=["Standard_DS3_v2"],
    )
    user: Guid | None = Field(
        default=None,
        description="Object id of the user who works on the instance. Nobody else can open it. Default: the identity "
        "that runs `pulumi up`.",
        examples=["3f2504e0-4f89-41d3-9a0c-0305e82c3301"],
    )
    idle_time: Annotated[str, AfterValidator(_idle_time)] | None = Field(
        default="PT1H",
        description="Idle time after which the instance stops, from 15 minutes to 3 days, as an ISO 8601 duration. "
        "`null` to never stop it.",
        examples=["PT1H"],
    )
    schedules: list[InstanceSchedule] = Field(
        default_factory=list, max_length=4, description="When the instance starts and stops by itself. At most four."
    )
    sso: bool = Field(default=True, description="Whether the instance signs its user in to Azure by single sign-on.")
