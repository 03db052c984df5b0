"""The stack's settings of runs: the keys `tacos-burritos:run` and `tacos-burritos:recurringRuns`."""

from __future__ import annotations

from typing import Annotated, Any

import pulumi
from croniter import croniter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

NAMESPACE = "tacos-burritos"


def _cron(value: str) -> str:
    if not croniter.is_valid(value):
        raise ValueError("is not a cron expression of five fields, such as `0 6 * * 1`")
    return value


class RecurringRun(BaseModel):
    """A run that starts again and again."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$", description="Name of the recurring run.")
    cron: Annotated[str, AfterValidator(_cron)] = Field(description="Times of the runs, in UTC.")
    enabled: bool = Field(default=True, description="Whether runs start.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Parameters of the runs.")


_LIST = TypeAdapter(list[RecurringRun])


def read() -> list[RecurringRun]:
    """Return the recurring runs of the stack file.

    Raises:
        pulumi.RunError: The setting is wrong. The message has each key.
    """
    given = pulumi.Config(NAMESPACE).get_object("recurringRuns") or []
    try:
        found = _LIST.validate_python(given)
    except ValidationError as error:
        lines = [f"{NAMESPACE}:recurringRuns{_path(each['loc'])}: {each['msg']}" for each in error.errors()]
        raise pulumi.RunError("\n".join(lines)) from error
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise pulumi.RunError(f"{NAMESPACE}:recurringRuns has two runs with the name {', '.join(twice)}")
    return found


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)
