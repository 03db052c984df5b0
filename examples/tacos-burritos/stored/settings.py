"""The settings of runs: the entries of `tacos-burritos:runs` and `tacos-burritos:recurringRuns` in the stack file."""

from typing import Annotated, Any, Literal

from croniter import croniter
from pydantic import AfterValidator, Field

from infra.settings.group import Group


def _cron(value: str) -> str:
    if not croniter.is_valid(value):
        raise ValueError("is not a cron expression of five fields, such as `0 6 * * 1`")
    return value


_NAME = r"^[a-z][a-z0-9-]{0,40}$"


class DeclaredRun(Group):
    """A run that an update starts, and starts again if the pipeline or a parameter has changed."""

    name: str = Field(pattern=_NAME, description="Name of the run.", examples=["first"])
    parameters: dict[str, Any] = Field(default_factory=dict, description="Parameters of the run.")
    engine: Literal["auto", "docker", "process", "jobs"] = Field(
        default="auto", description="What runs the steps. `jobs` needs a cluster with nodes."
    )


class RecurringRun(Group):
    """A run that starts again and again."""

    name: str = Field(pattern=_NAME, description="Name of the recurring run.", examples=["weekly"])
    cron: Annotated[str, AfterValidator(_cron)] = Field(
        description="Times of the runs, in UTC: a cron expression of five fields.", examples=["0 6 * * 1"]
    )
    enabled: bool = Field(default=True, description="Whether runs start.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Parameters of the runs.")
