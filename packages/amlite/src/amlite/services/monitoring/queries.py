"""The query of a metrics request: time span, interval and filter."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from amlite.core import durations
from amlite.core.errors import AzureError

GRAINS = {
    "PT1M": dt.timedelta(minutes=1),
    "PT5M": dt.timedelta(minutes=5),
    "PT15M": dt.timedelta(minutes=15),
    "PT30M": dt.timedelta(minutes=30),
    "PT1H": dt.timedelta(hours=1),
    "PT6H": dt.timedelta(hours=6),
    "PT12H": dt.timedelta(hours=12),
    "P1D": dt.timedelta(days=1),
}
_MOST_POINTS = 50_000
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>\w+)|(?P<other>\S))")
_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


class MonitorError(AzureError):
    """An error of Azure Monitor's metrics. These errors are not wrapped in `error`."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)

    def content(self) -> tuple[str, str]:
        """Return the text and content type of the response."""
        return json.dumps({"code": self.code, "message": self.message}), "application/json"


@dataclass(frozen=True)
class Clause:
    """A filter's condition on one dimension: one of the tests (operator, value) must pass. Tests ignore case."""

    dimension: str
    tests: tuple[tuple[str, str], ...]

    def matches(self, value: str) -> bool:
        """Return whether a dimension's value passes."""
        return any(_passes(value.lower(), operator, wanted.lower()) for operator, wanted in self.tests)


def _passes(value: str, operator: str, wanted: str) -> bool:
    if operator == "ne":
        return value != wanted
    if operator == "sw":
        return value.startswith(wanted)
    return wanted in ("*", value)


def span(text: str | None, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """Parse `start/end`, `start/duration` or `duration` (which ends now). The default is an hour."""
    if not text:
        return now - dt.timedelta(hours=1), now
    first, _, second = text.partition("/")
    if not second and (length := durations.parse(first)) is not None:
        return now - length, now
    start = _time(first, text)
    length = durations.parse(second)
    end = start + length if length is not None else _time(second, text)
    if end <= start:
        raise MonitorError(f"timespan: '{text}' ends before it starts.")
    return start, end


def intervals(
    text: str | None, start: dt.datetime, end: dt.datetime, *, adjust: bool
) -> tuple[list[dt.datetime], dt.timedelta]:
    """Return the starts and the length of a span's intervals: as long as `text` says, or one interval for `FULL`.

    Intervals start at multiples of their length, such as at full hours or at midnight. If Azure does not support a
    length and `adjust` is set, the next longer one is used.
    """
    wanted = (text or "PT1M").upper()
    if wanted == "FULL":
        first = start - (start - _EPOCH) % GRAINS["PT1M"]
        return [first], end - first
    length = GRAINS.get(wanted)
    if length is None and adjust and (asked := durations.parse(wanted)) is not None:
        length = next((each for each in GRAINS.values() if each >= asked), GRAINS["P1D"])
    if length is None:
        raise MonitorError(
            f"Invalid time grain input for namespace: '{text}'. The supported ones are: {', '.join(GRAINS)}."
        )
    first = start - (start - _EPOCH) % length
    count = -(-(end - first) // length)
    if count > _MOST_POINTS:
        raise MonitorError(f"The timespan has too many intervals of {wanted}; ask for a larger interval.")
    return [first + number * length for number in range(count)], length


def clauses(text: str | None, dimensions: Iterable[str], metric: str) -> list[Clause]:
    """Parse a `$filter` of tests `name eq|ne|sw 'value'`.

    `or` joins the tests of one name, and `and` joins names.
    """
    known = {name.lower(): name for name in dimensions}
    read: list[Clause] = []
    tokens = _tokens(text or "")
    joint = "and"
    while tokens:
        if len(tokens) < 3 or tokens[1].lower() not in ("eq", "ne", "sw") or tokens[2][0] != "'":
            raise MonitorError(f"$filter: expected \"name eq 'value'\" at: {' '.join(tokens)}")
        name, operator, value = tokens[0].lower(), tokens[1].lower(), tokens[2][1:-1].replace("''", "'")
        if name not in known:
            raise MonitorError(
                f"Metric: {metric} does not support requested dimension combination: {name}, "
                f"supported ones are: {','.join(known.values())}"
            )
        if joint == "or":
            if read[-1].dimension != known[name]:
                raise MonitorError("$filter: 'or' joins tests of one dimension only.")
            read[-1] = Clause(known[name], (*read[-1].tests, (operator, value)))
        else:
            read.append(Clause(known[name], ((operator, value),)))
        joint = tokens[3].lower() if len(tokens) > 3 else ""
        if joint not in ("", "and", "or") or (joint and len(tokens) == 4):
            raise MonitorError(f"$filter: expected 'and' or 'or' and another test at: {' '.join(tokens[3:])}")
        tokens = tokens[4:]
    return read


def _tokens(text: str) -> list[str]:
    found = [match.group().strip() for match in _TOKEN.finditer(text)]
    # Parentheses group tests of one dimension, which `or` already joins.
    return [token for token in found if token not in ("(", ")")]


def _time(text: str, whole: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise MonitorError(
            f"timespan: '{whole}' is not start/end in ISO 8601, e.g. 2026-01-31T12:00:00Z/2026-01-31T13:00:00Z."
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
