"""When a schedule fires: cron and recurrence triggers, checked and computed in their own time zone.

Sources: Microsoft's "Schedule machine learning pipeline jobs" (Limitations, Parameters) and "CLI (v2) schedule YAML
schema". Cron expressions are those of the library NCrontab, which the first page links to.
"""

from __future__ import annotations

import calendar
import functools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from dateutil import rrule  # type: ignore[import-untyped]

from pulumi_azureml.planning.problems import listing, suggestion

_FREQUENCIES = ("minute", "hour", "day", "week", "month")
_RULES = {"day": rrule.DAILY, "week": rrule.WEEKLY, "month": rrule.MONTHLY}
_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_WEEK_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PATTERN = {"hours": (0, 23), "minutes": (0, 59), "month_days": (1, 31)}
_CRON = re.compile(r"(\*|\d+(-\d+)?)(/0*[1-9]\d*)?(,(\*|\d+(-\d+)?)(/0*[1-9]\d*)?)*", re.ASCII)
_MONTH_NAMES = [name.lower() for name in calendar.month_name]
_CRON_NAME = re.compile(r"[A-Za-z]+")
_CRON_RANGE = re.compile(r"(\d+)-(\d+)")
_EVERY = ["*"]
_HOUR = timedelta(hours=1)
_LONGEST_INTERVAL = 1000
_MONTHS = 12


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
    """Return the zone for `time_zone:`, which is a Windows name.

    Raises:
        TriggerError: no zone has that name.
    """
    zone = {each.lower(): zone for each, zone in windows_zones().items()}.get(name.lower())
    if zone is None:
        same = [each for each, zone in windows_zones().items() if zone.lower() == name.lower()]
        otherwise = "use a name such as 'UTC' or 'W. Europe Standard Time'"
        if "/" in name:
            otherwise = "use the name that Windows has for it, such as 'UTC' or 'W. Europe Standard Time'"
        advice = f"write '{same[0]}'" if same else suggestion(name, windows_zones(), otherwise=otherwise)
        raise TriggerError("time_zone", f"unknown time zone '{name}'", advice)
    return ZoneInfo(zone)


def check(trigger: dict[str, Any], *, recurrences: bool = True) -> list[TriggerError]:
    """Return the problems of a trigger. `recurrences`: a recurrence can stand in its place."""
    errors: list[TriggerError] = []
    cron = functools.partial(_check_cron, recurrences=recurrences)
    for test in (_check_zone, _check_times, cron if _is_cron(trigger) else _check_recurrence):
        try:
            test(trigger)
        except TriggerError as error:
            errors.append(error)
    return errors


def local_time(value: Any, zone_name: str) -> str | None:
    """Return a start or end time in the trigger's time zone, as text without an offset, or None if it has no offset.

    azure-ai-ml sends a time without its offset, so the service would read it in the trigger's time zone.
    """
    moment = _moment(value)
    if moment is None or moment.tzinfo is None:
        return None
    return moment.astimezone(time_zone(zone_name)).replace(tzinfo=None).isoformat(timespec="seconds")


def next_fire_times(trigger: dict[str, Any], after: datetime, count: int = 5) -> list[datetime]:
    """Return a trigger's next times after a given time, in UTC; fewer than `count` if it ends earlier.

    Without a `start_time`, the service counts some recurrences from the time at which it created the schedule, such as
    every second week. These have no times here.

    Args:
        trigger: the `trigger:` of a schedule that passed `check`.
        after: a timezone-aware time.
        count: the number of times to return.
    """
    zone = time_zone(_zone_name(trigger))
    start, end = (_in_zone(_moment(trigger.get(key)), zone) for key in ("start_time", "end_time"))
    moment = after.astimezone(UTC)
    if start is not None:
        moment = max(moment, start.astimezone(UTC) - timedelta(microseconds=1))
    following = _cron(trigger, zone) if _is_cron(trigger) else _recurrence(trigger, zone, start, moment)
    times: list[datetime] = []
    while following is not None and len(times) < count:
        found = following(moment)
        if found is None or (end is not None and found > end):
            break
        times.append(found)
        moment = found
    return times


def _is_cron(trigger: dict[str, Any]) -> bool:
    return str(trigger.get("type", "")).lower() == "cron"


def _zone_name(trigger: dict[str, Any]) -> str:
    return str(trigger.get("time_zone") or "UTC")


def _check_zone(trigger: dict[str, Any]) -> None:
    time_zone(_zone_name(trigger))


def _check_times(trigger: dict[str, Any]) -> None:
    moments = {}
    for key in ("start_time", "end_time"):
        try:
            moments[key] = _in_zone(_moment(trigger.get(key)), ZoneInfo("UTC"))
        except (ValueError, OverflowError):
            reason = f"'{trigger[key]}' is not a date and time"
            raise TriggerError(key, reason, "write it as 2026-01-31T06:00:00, in the trigger's time zone") from None
    start, end = moments["start_time"], moments["end_time"]
    if start is not None and end is not None and end <= start:
        raise TriggerError("end_time", "the schedule ends before it starts", "use an end_time after start_time")


def _check_cron(trigger: dict[str, Any], *, recurrences: bool) -> None:
    expression = str(trigger.get("expression", ""))
    fix = "write minute, hour, *, * and day of week, such as '0 6 * * 1-5' for every working day at six"
    if len(expression.split()) != len("mhDMd"):
        raise TriggerError("expression", f"bad cron expression '{expression}': it has not five fields", fix)
    for field in _cron_text(expression).split():
        if not _CRON.fullmatch(field):
            reason = f"bad cron expression '{expression}': '{field}' is not a list of numbers, ranges and steps"
            raise TriggerError("expression", reason, fix)
        for first, last in _CRON_RANGE.findall(field):
            if int(first) > int(last):
                reason = f"bad cron expression '{expression}': '{first}-{last}' runs backwards"
                raise TriggerError("expression", reason, f"write '{last}-{first}', or two ranges with a comma")
    try:
        minutes, hours, days, months, week_days = croniter.expand(_cron_text(expression))[0]
    except CroniterError as error:
        raise TriggerError("expression", f"bad cron expression '{expression}': {error}", fix) from None
    if re.search(r"(^|[^*/\d])0*7", _cron_text(expression).split()[4]):
        reason = f"bad cron expression '{expression}': the days of the week are 0 (Sunday) to 6"
        raise TriggerError("expression", reason, "write 0 for Sunday")
    if days != _EVERY or months != _EVERY:
        reason = f"the service ignores the days of the month and the months in '{expression}'"
        instead = _as_recurrence(minutes, hours, days, months, week_days) if recurrences else "write * for both"
        raise TriggerError("expression", reason, instead)


def _as_recurrence(minutes: list[Any], hours: list[Any], days: list[Any], months: list[Any], week: list[Any]) -> str:
    """Return the recurrence to write in place of a cron expression with days of the month or months."""
    numbers = [each for each in months if isinstance(each, int)]
    following = [*numbers[1:], *numbers[:1]]
    gaps = {(late - early) % _MONTHS or _MONTHS for early, late in zip(numbers, following, strict=True)}
    if week != _EVERY or days == _EVERY or len(gaps) > 1:
        return "write * for both and check the date in the pipeline, or use one `type: recurrence` for each month"
    interval = gaps.pop() if gaps else 1
    times = f"hours: {_numbers(hours, 24)}, minutes: {_numbers(minutes, 60)}"
    start = f", `start_time` in month {numbers[0]}" if gaps or interval > 1 else ""
    pattern = f"schedule: {{month_days: {days}, {times}}}"
    return f"write `type: recurrence`, `frequency: month`, `interval: {interval}`{start} and `{pattern}`"


def _numbers(values: list[Any], count: int) -> list[Any]:
    return list(range(count)) if values == _EVERY else values


def _check_recurrence(trigger: dict[str, Any]) -> None:
    frequency, interval = str(trigger.get("frequency", "")).lower(), trigger.get("interval", 1)
    if frequency not in _FREQUENCIES:
        otherwise = f"use one of {listing(_FREQUENCIES)}"
        advice = suggestion(frequency, _FREQUENCIES, otherwise=otherwise)
        raise TriggerError("frequency", f"unknown frequency '{frequency}'", advice)
    if not str(interval).isdecimal() or not 1 <= int(interval) <= _LONGEST_INTERVAL:
        raise TriggerError("interval", f"interval is {interval}", f"use a whole number from 1 to {_LONGEST_INTERVAL}")
    pattern = trigger.get("schedule")
    if not isinstance(pattern, dict):
        return
    for key, (low, high) in _PATTERN.items():
        for value in _many(pattern.get(key)):
            if not str(value).isdecimal() or not low <= int(value) <= high:
                raise TriggerError("schedule", f"'{value}' is not one of the {key}", f"use {low} to {high}")
    for day in _many(pattern.get("week_days")):
        if str(day).lower() not in _WEEK_DAYS:
            advice = suggestion(str(day), _WEEK_DAYS, otherwise=f"use one of {listing(_WEEK_DAYS)}")
            raise TriggerError("schedule", f"unknown day '{day}'", advice)
    if frequency in _STEPS and any(_many(value) for value in pattern.values()):
        fix = "remove `schedule`, or use `frequency: day`"
        raise TriggerError("schedule", f"a recurrence by the {frequency} has no `schedule`", fix)
    if _many(pattern.get("month_days")) and frequency != "month":
        fix = "remove it, or use `frequency: month`"
        raise TriggerError("schedule", f"'month_days' is not for `frequency: {frequency}`", fix)
    if _many(pattern.get("week_days")) and frequency == "day":
        raise TriggerError("schedule", "'week_days' is not for `frequency: day`", "use `frequency: week`")


def _cron_text(expression: str) -> str:
    """Return an expression with numbers in place of names."""
    return _CRON_NAME.sub(_number, expression)


def _number(name: re.Match[str]) -> str:
    """Return the number of a day (Sunday is 0) or a month, by the beginning of its name, as NCrontab does."""
    names = (*_MONTH_NAMES, *_WEEK_DAYS) if len(name[0]) > len("mo") else ()
    found = next((each for each in names if each.startswith(name[0].lower())), None)
    if found is None:
        return name[0]
    is_month = found in _MONTH_NAMES
    return str(_MONTH_NAMES.index(found) if is_month else (_WEEK_DAYS.index(found) + 1) % len(_WEEK_DAYS))


def _cron(trigger: dict[str, Any], zone: ZoneInfo) -> Callable[[datetime], datetime | None]:
    minutes, hours, _, _, week_days = _cron_text(str(trigger["expression"])).split()
    expression = f"{minutes} {hours} * * {week_days}"

    def following(after: datetime) -> datetime | None:
        wall = after.astimezone(zone).replace(tzinfo=None)
        found: datetime = croniter(expression, wall).get_next(datetime)
        # In the hour that the end of summer time repeats, only a trigger of every hour fires again.
        if hours == "*" and found - wall <= _HOUR:
            return after + (found - wall)
        return _later(found, zone, after, following)

    return following


def _recurrence(
    trigger: dict[str, Any], zone: ZoneInfo, start: datetime | None, after: datetime
) -> Callable[[datetime], datetime | None] | None:
    """Return a function from a time to the next one, or None if only Azure knows when the recurrence began."""
    frequency, interval = str(trigger["frequency"]).lower(), int(trigger.get("interval", 1))
    given = trigger.get("schedule")
    pattern = {key: _many(value) for key, value in given.items()} if isinstance(given, dict) else {}
    days = pattern.get("month_days") or pattern.get("week_days") or frequency == "day"
    if start is None and not (interval == 1 and pattern.get("hours") and pattern.get("minutes") and days):
        return None
    if frequency in _STEPS:
        step, first = _STEPS[frequency] * interval, (start or after).astimezone(UTC)
        return lambda moment: first if moment < first else first + step * ((moment - first) // step + 1)
    midnight = after.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    names = [str(name).lower() for name in pattern.get("week_days", [])]
    rule = rrule.rrule(
        _RULES[frequency],
        dtstart=start.astimezone(zone).replace(tzinfo=None) if start is not None else midnight,
        interval=interval,
        byhour=[int(each) for each in pattern.get("hours", [])] or None,
        byminute=[int(each) for each in pattern.get("minutes", [])] or None,
        bysecond=0 if any(pattern.values()) else None,
        byweekday=[_WEEK_DAYS.index(name) for name in names] or None,
        bymonthday=[int(each) for each in pattern.get("month_days", [])] or None,
    )

    def following(moment: datetime) -> datetime | None:
        found = rule.after(moment.astimezone(zone).replace(tzinfo=None))
        return None if found is None else _later(found, zone, moment, following)

    return following


def _later(
    found: datetime, zone: ZoneInfo, after: datetime, following: Callable[[datetime], datetime | None]
) -> datetime | None:
    """Return a local time in UTC. A time that is over already, by a change of the clock, gives the one after it."""
    due = found.replace(tzinfo=zone).astimezone(UTC)
    return due if due > after else following(found.replace(tzinfo=zone, fold=1).astimezone(UTC))


def _many(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _in_zone(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=zone)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
