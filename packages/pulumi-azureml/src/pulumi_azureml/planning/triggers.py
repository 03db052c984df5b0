"""When a schedule fires: cron and recurrence triggers, checked and computed in their own time zone."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from pulumi_azureml.planning.problems import listing, suggestion

_FREQUENCIES = ("minute", "hour", "day", "week", "month")
_WEEK_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LOOK_AHEAD = timedelta(days=366 * 5)


class TriggerError(ValueError):
    """An invalid trigger: the `key` at fault, the reason and the `fix`."""

    def __init__(self, key: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.key, self.reason, self.fix = key, reason, fix


@functools.cache
def windows_zones() -> dict[str, str]:
    """Azure's time zone names (those of Windows) → the IANA zone of their region (source: Unicode CLDR)."""
    zones: dict[str, str] = json.loads(Path(__file__).with_name("time_zones.json").read_text(encoding="utf-8"))
    return zones


def time_zone(name: str) -> ZoneInfo:
    """Return the zone for `time_zone:`, a Windows or an IANA name.

    Raises:
        TriggerError: no zone has that name.
    """
    by_lower = {each.lower(): zone for each, zone in windows_zones().items()}
    try:
        return ZoneInfo(by_lower.get(name.lower(), name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        otherwise = "use a name such as 'UTC' or 'W. Europe Standard Time'"
        advice = suggestion(name, windows_zones(), otherwise=otherwise)
        raise TriggerError("time_zone", f"unknown time zone '{name}'", advice) from None


def check(trigger: dict[str, Any]) -> list[TriggerError]:
    """Return the problems of a trigger."""
    errors: list[TriggerError] = []
    for test in (_check_zone, _check_times, _check_cron if trigger.get("type") == "cron" else _check_recurrence):
        try:
            test(trigger)
        except TriggerError as error:
            errors.append(error)
    return errors


def next_fire_times(trigger: dict[str, Any], after: datetime, count: int = 5) -> list[datetime]:
    """Return a trigger's next times after a given time, in UTC; fewer than `count` if it ends earlier.

    Args:
        trigger: the `trigger:` of a schedule that passed `check`.
        after: a timezone-aware time.
        count: the number of times to return.
    """
    zone = time_zone(str(trigger.get("time_zone", "UTC")))
    start, end = _moment(trigger.get("start_time"), zone), _moment(trigger.get("end_time"), zone)
    begin = after if start is None else max(after, start - timedelta(microseconds=1))
    times: list[datetime] = []
    for moment in (
        _cron_times(trigger, begin, zone)
        if trigger.get("type") == "cron"
        else _recurrences(trigger, begin, zone, start)
    ):
        if len(times) == count or (end is not None and moment > end):
            break
        times.append(moment.astimezone(UTC))
    return times


def _check_zone(trigger: dict[str, Any]) -> None:
    time_zone(str(trigger.get("time_zone", "UTC")))


def _check_times(trigger: dict[str, Any]) -> None:
    moments = {}
    for key in ("start_time", "end_time"):
        try:
            moments[key] = _moment(trigger.get(key), ZoneInfo("UTC"))
        except ValueError:
            reason = f"'{trigger[key]}' is not a date and time"
            raise TriggerError(key, reason, "write it as 2026-01-31T06:00:00, in the trigger's time zone") from None
    start, end = moments["start_time"], moments["end_time"]
    if start is not None and end is not None and end <= start:
        raise TriggerError("end_time", "the schedule ends before it starts", "use an end_time after start_time")


def _check_cron(trigger: dict[str, Any]) -> None:
    expression = str(trigger.get("expression", ""))
    fix = "write minute, hour, day of month, month and day of week, such as '0 6 * * *' for every day at six"
    if len(expression.split()) != 5:
        raise TriggerError("expression", f"bad cron expression '{expression}': it has not five fields", fix)
    try:
        croniter(expression, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except CroniterError as error:
        raise TriggerError("expression", f"bad cron expression '{expression}': {error}", fix) from None


def _check_recurrence(trigger: dict[str, Any]) -> None:
    frequency, interval = str(trigger.get("frequency", "")).lower(), trigger.get("interval", 1)
    if frequency not in _FREQUENCIES:
        otherwise = f"use one of {listing(_FREQUENCIES)}"
        advice = suggestion(frequency, _FREQUENCIES, otherwise=otherwise)
        raise TriggerError("frequency", f"unknown frequency '{frequency}'", advice)
    if not isinstance(interval, int) or interval < 1:
        raise TriggerError("interval", f"interval is {interval}", "use a whole number of 1 or more")
    pattern = trigger.get("schedule") or {}
    for key, low, high in (("hours", 0, 23), ("minutes", 0, 59), ("month_days", -1, 31)):
        for value in _many(pattern.get(key)):
            if not isinstance(value, int) or not low <= value <= high or (key == "month_days" and value == 0):
                raise TriggerError("schedule", f"'{value}' is not one of the {key}", f"use {low} to {high}")
    for day in _many(pattern.get("week_days")):
        if str(day).lower() not in _WEEK_DAYS:
            advice = suggestion(str(day), _WEEK_DAYS, otherwise=f"use one of {listing(_WEEK_DAYS)}")
            raise TriggerError("schedule", f"unknown day '{day}'", advice)


def _cron_times(trigger: dict[str, Any], after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    times = croniter(str(trigger["expression"]), after.astimezone(zone))
    while True:
        try:
            yield times.get_next(datetime)
        except CroniterError:
            return


def _recurrences(
    trigger: dict[str, Any], after: datetime, zone: ZoneInfo, start: datetime | None
) -> Iterator[datetime]:
    """Without a `schedule:`, every interval from the start; with one, its times on the matching days."""
    frequency, interval = str(trigger["frequency"]).lower(), int(trigger.get("interval", 1))
    pattern, anchor = trigger.get("schedule") or {}, (start or after).astimezone(zone)
    if frequency in {"minute", "hour"}:
        step = timedelta(minutes=interval) if frequency == "minute" else timedelta(hours=interval)
        moment = anchor.astimezone(UTC)
        if moment <= after:
            moment += step * ((after - moment) // step + 1)
        while True:
            yield moment
            moment += step
    hours = _many(pattern.get("hours")) or [anchor.hour]
    minutes = _many(pattern.get("minutes")) or [anchor.minute]
    day = max(anchor, after.astimezone(zone)).date()
    last = day + _LOOK_AHEAD
    while day < last:
        if _counts(day, anchor, frequency, interval, pattern):
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    if moment > after:
                        yield moment
        day += timedelta(days=1)


def _counts(day: Any, anchor: datetime, frequency: str, interval: int, pattern: dict[str, Any]) -> bool:
    """Whether a recurrence fires on a day."""
    first = anchor.date()
    if frequency == "day":
        return bool((day - first).days % interval == 0)
    if frequency == "week":
        names = [str(name).lower() for name in _many(pattern.get("week_days"))] or [_WEEK_DAYS[first.weekday()]]
        monday = first - timedelta(days=first.weekday())
        return _WEEK_DAYS[day.weekday()] in names and (day - monday).days // 7 % interval == 0
    months = (day.year - first.year) * 12 + day.month - first.month
    is_last = (day + timedelta(days=1)).month != day.month
    days = _many(pattern.get("month_days")) or [first.day]
    return months % interval == 0 and (day.day in days or (is_last and -1 in days))


def _many(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _moment(value: Any, zone: ZoneInfo) -> datetime | None:
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
