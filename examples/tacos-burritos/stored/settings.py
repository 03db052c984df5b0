"""The settings of recurring runs: an entry of `tacos-burritos:recurringRuns` in the stack file."""

from typing import Annotated, Any

from croniter import croniter
from pydantic import AfterValidator, Field

from infra.settings.group import Group


def _cron(value: str) -> str:
    if not croniter.is_valid(value):
        raise ValueError("is not a cron expression of five fields, such as `0 6 * * 1`")
    return value


class RecurringRun(Group):
    """A run that starts again and again."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$", description="Name of the recurring run.", examples=["weekly"])
    cron: Annotated[str, AfterValidator(_cron)] = Field(
        description="Times of the runs, in UTC: a cron expression of five fields.", examples=["0 6 * * 1"]
    )
    enabled: bool = Field(default=True, description="Whether runs start.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Parameters of the runs.")
