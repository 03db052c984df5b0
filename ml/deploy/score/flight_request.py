"""Checks a scoring request against the model's signature, and converts it to rows."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_FLIGHTS = 1000
MAX_PROBLEMS = 10
"""The error message lists at most this many problems of a request."""
SHOWN = 5
"""The error message lists at most this many values that the training has seen."""


class RequestError(ValueError):
    """The request cannot be scored. The message is for the caller."""


@dataclass(frozen=True)
class Field:
    """One input of the model.

    Attributes:
        name: Key in a flight.
        numeric: True for a number, false for text.
        required: Whether the value must be present and not null.
        values: The values that the training has seen, if they are few.
        least: The least number of the training.
        greatest: The greatest number of the training.
    """

    name: str
    numeric: bool
    required: bool
    values: frozenset[str | float] | None = None
    least: float | None = None
    greatest: float | None = None

    def unseen(self, value: str | float) -> str | None:
        """Return why a value is unlike all that the training has seen, or None if it is not.

        A number may leave the range of the training by its width, because weather sets records.
        """
        if self.values is not None and value not in self.values:
            known = ", ".join(f"{each:g}" if isinstance(each, float) else each for each in sorted(self.values)[:SHOWN])
            more = ", ..." if len(self.values) > SHOWN else ""
            return f"the training has not seen {value!r}; it has seen {known}{more}"
        if self.least is None or self.greatest is None:
            return None
        width = self.greatest - self.least
        if not self.least - width <= float(value) <= self.greatest + width:
            return f"{value:g} is far from the {self.least:g} to {self.greatest:g} of the training"
        return None


def read_fields(signature: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[Field]:
    """Return the model's inputs, in order, from the `signature` of an MLmodel file.

    `seen` is what the training has seen of each, which the train component writes to the file's metadata.
    """
    return [
        Field(
            column["name"],
            column["type"] != "string",
            column.get("required", True),
            frozenset(known["values"]) if "values" in known else None,
            known.get("least"),
            known.get("greatest"),
        )
        for column in json.loads(signature["inputs"])
        for known in [seen.get(column["name"], {})]
    ]


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
        elif (reason := field.unseen(value)) is not None:
            problems.append(f"{where}.{field.name}: {reason}")
    return problems


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
