"""Reads what a deployment collected: CloudEvents, one a line, in folders by time."""

import calendar
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

INPUTS, OUTPUTS = "model_inputs", "model_outputs"
_PARTS = 5  # of a folder's time: year, month, day, hour and minute, or fewer
_LATE = timedelta(hours=1)


class CollectedError(Exception):
    """The collected data cannot be used. The message names the input and the reason."""


@dataclass(frozen=True)
class Window:
    """A period of time: from `start`, before `end`."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{stamp(self.start)}/{stamp(self.end)}"

    def before(self, hours: float) -> "Window":
        """Return the period of some hours that ends where this one starts."""
        return Window(self.start - timedelta(hours=hours), self.start)


@dataclass(frozen=True)
class Collected:
    """The rows of one collection in a window.

    Attributes:
        rows: The collected columns.
        origins: For each of the rows, the time of its record and the deployment that collected it.
        unreadable: How many records could not be read.
    """

    rows: pd.DataFrame
    origins: pd.DataFrame
    unreadable: int


def stamp(at: datetime) -> str:
    """Return a time as the records have it, such as `2026-03-01T06:00:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(folder: Path, collection: str, window: Window) -> Collected:
    """Return the rows that a collection has in a window. A collection without data has none."""
    rows: list[dict[str, Any]] = []
    origins: list[tuple[datetime, str]] = []
    unreadable = 0
    for file in _files(folder / collection, window):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
                at = datetime.fromisoformat(record["time"])
                found = _data(record, file) if window.start <= at < window.end else []
                deployment = record["source"].rpartition("/")[2]
            except (ValueError, KeyError, TypeError, AttributeError, OSError):
                unreadable += 1
                continue
            rows += found
            origins += [(at, deployment)] * len(found)
    return Collected(pd.DataFrame(rows), pd.DataFrame(origins, columns=["time", "deployment"]), unreadable)


def _data(record: dict[str, Any], file: Path) -> list[dict[str, Any]]:
    """Return a record's rows. Azure puts large data into a file beside the records, which has the record's id."""
    data = record["data"]
    if str(record.get("datainblob", "")).lower() == "true":
        data = json.loads((file.parent / record["id"]).read_text(encoding="utf-8"))
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        message = "not a list of rows"
        raise TypeError(message)
    return data


def newest(folder: Path, collection: str) -> Window | None:
    """Return the period of a collection's newest folder, or None if it has no data."""
    return max((period for _, period in _folders(folder / collection)), key=lambda period: period.start, default=None)


def _files(folder: Path, window: Window) -> Iterator[Path]:
    """Yield the files whose folder may have records of the window. Records can arrive some time after their time."""
    for file, period in _folders(folder):
        if period.start - _LATE < window.end and period.end > window.start:
            yield file


def _folders(folder: Path) -> Iterator[tuple[Path, Window]]:
    """Yield the files of records with the periods of their folders, such as `2026/03/01/06`."""
    for file in sorted(folder.rglob("*.jsonl")):
        try:
            yield file, _period(file.parent.relative_to(folder).parts)
        except ValueError:
            continue  # not a folder of the collector


def _period(parts: tuple[str, ...]) -> Window:
    numbers = [int(part) for part in parts]
    if not 1 <= len(numbers) <= _PARTS:
        message = f"not a time: {parts}"
        raise ValueError(message)
    year, month, day, hour, minute = [*numbers, *(1, 1, 1, 0, 0)[len(numbers) :]]
    first = datetime(year, month, day, hour, minute, tzinfo=UTC)
    days = {1: 366, 2: calendar.monthrange(year, month)[1], 3: 1}.get(len(numbers), 0)
    length = timedelta(days=days, hours=int(len(numbers) == 4), minutes=int(len(numbers) == _PARTS))
    return Window(first, first + length)
