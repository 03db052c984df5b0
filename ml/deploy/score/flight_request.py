"""Checks a scoring request against the model's signature, and converts it to rows."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_FLIGHTS = 1000
MAX_PROBLEMS = 10
"""The error message lists at most this many problems of a request."""


class RequestError(ValueError):
    """The request cannot be scored. The message is for the caller."""


@dataclass(frozen=True)
class Field:
    """One input of the model.

    Attributes:
        name: Key in a flight.
        numeric: True for a number, false for text.
        required: Whether the value must be present and not null.
    """

    name: str
    numeric: bool
    required: bool


def read_fields(signature: Mapping[str, Any]) -> list[Field]:
    """Return the model's inputs, in order, from the `signature` of an MLmodel file."""
    columns = json.loads(signature["inputs"])
    return [Field(column["name"], column["type"] != "string", column.get("required", True)) for column in columns]


def parse_request(body: str, fields: Sequence[Field]) -> list[dict[str, str | float | None]]:
    """Return the flights of a request `{"flights": [{...}, ...]}`. Absent fields become None.

    Raises:
        RequestError: The body is not JSON of that form, or a flight has unknown, missing or wrong fields.
    """
    try:
        request = json.loads(body)
    except ValueError as error:
        message = f"the body is not JSON: {error}"
        raise RequestError(message) from error
    if not isinstance(request, dict) or set(request) != {"flights"} or not isinstance(request["flights"], list):
        message = 'the body must be an object with one key, "flights", and a list of objects as its value'
        raise RequestError(message)
    flights = request["flights"]
    if not 1 <= len(flights) <= MAX_FLIGHTS:
        message = f"flights: must contain 1 to {MAX_FLIGHTS} flights, not {len(flights)}"
        raise RequestError(message)
    problems = [problem for index, flight in enumerate(flights) for problem in _problems(index, flight, fields)]
    if problems:
        hidden = len(problems) - MAX_PROBLEMS
        shown = "; ".join(problems[:MAX_PROBLEMS])
        raise RequestError(shown if hidden <= 0 else f"{shown}; and {hidden} more")
    return [{field.name: _value(flight.get(field.name), field) for field in fields} for flight in flights]


def _value(value: Any, field: Field) -> str | float | None:
    return float(value) if field.numeric and value is not None else value


def _problems(index: int, flight: object, fields: Sequence[Field]) -> list[str]:
    where = f"flights[{index}]"
    if not isinstance(flight, dict):
        return [f"{where}: must be an object"]
    names = {field.name for field in fields}
    problems = [f"{where}.{name}: unknown field" for name in flight if name not in names]
    for field in fields:
        value = flight.get(field.name)
        if value is None:
            if field.required:
                problems.append(f"{where}.{field.name}: is required")
        elif field.numeric and not _is_number(value):
            problems.append(f"{where}.{field.name}: must be a finite number")
        elif not field.numeric and not isinstance(value, str):
            problems.append(f"{where}.{field.name}: must be text")
    return problems


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
