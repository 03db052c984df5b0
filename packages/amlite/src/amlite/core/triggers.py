"""The times at which a schedule fires: cron expressions and recurrences, in time zones with Windows names."""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import re
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

from dateutil import rrule  # type: ignore[import-untyped]

from amlite.core.errors import AzureError
from amlite.core.wire import Json

_FREQUENCIES = {
    "day": rrule.DAILY,
    "week": rrule.WEEKLY,
    "month": rrule.MONTHLY,
}
_STEPS = {"minute": dt.timedelta(minutes=1), "hour": dt.timedelta(hours=1)}
_HOUR = dt.timedelta(hours=1)
# More than any service lets them be, so that an interval ends before the last year that there is.
_MOST_MINUTES_OR_HOURS, _MOST_DAYS_WEEKS_OR_MONTHS = 1_000_000, 10_000
_LEAP_YEAR = 2024
_WEEK_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FIELD = re.compile(r"(\*|\d+(-\d+)?)(/0*[1-9]\d*)?(,(\*|\d+(-\d+)?)(/0*[1-9]\d*)?)*", re.ASCII)
# NCrontab has no limit. The longest useful expression names each minute.
_MOST_CHARACTERS = 1000
_MONTHS = [name.lower() for name in calendar.month_name]
_NAME = re.compile(r"[A-Za-z]+")
_RANGE = re.compile(r"(\d+)-(\d+)")
# The days of the week are 0 to 6.
_SEVEN = re.compile(r"(^|[^*/\d])0*7")


@dataclass(frozen=True)
class _Pattern:
    """A recurrence of days, weeks or months. Its times are local."""

    frequency: str
    interval: int
    start: dt.datetime
    rule: rrule.rrule

    def after(self, wall: dt.datetime) -> dt.datetime | None:
        """Return the first time after another one.

        Counts from the period of that time: from the start, it could be all the days since the first year.
        """
        start = self.start
        if self.frequency == "month":
            passed = max((wall.year - start.year) * 12 + wall.month - start.month, 0)
            year, month = divmod(start.year * 12 + start.month - 1 + passed // self.interval * self.interval, 12)
            first = dt.date(year, month + 1, 1)
        else:
            days = self.interval * (7 if self.frequency == "week" else 1)
            passed = max((wall.date() - start.date()).days, 0)
            first = start.date() + dt.timedelta(days=passed // days * days)
        begin = max(dt.datetime.combine(first, dt.time()), start)
        found: dt.datetime | None = self.rule.replace(dtstart=begin).after(wall)
        return found


class Trigger:
    """A cron or recurrence trigger in its own time zone. Raises AzureError 400 if the service rejects it."""

    def __init__(self, properties: Json, created: dt.datetime) -> None:
        """Parse the `properties` (ARM's `CronTrigger` or `RecurrenceTrigger`) of a schedule created at `created`."""
        self._zone = _zone(properties.get("timeZone") or "UTC")
        start, end = (self._moment(properties, name) for name in ("startTime", "endTime"))
        if start is not None and end is not None and end.astimezone(dt.UTC) <= start.astimezone(dt.UTC):
            raise _refusal("trigger.endTime must be later than trigger.startTime.")
        self._given = start or created.replace(microsecond=0)
        self._start = self._given.astimezone(dt.UTC)
        self._end = end.astimezone(dt.UTC) if end is not None else None
        self._cron: str | None = None
        self._step: dt.timedelta | None = None
        self._pattern: _Pattern | None = None
        if properties["triggerType"].lower() == "cron":
            self._cron = _cron(properties["expression"])
        else:
            self._pattern = self._recurrence(properties)

    def next(self, after: dt.datetime) -> dt.datetime | None:
        """Return the first time (UTC) after `after` at which the trigger fires, or None if it has ended.

        Wall-clock times are local: a daily schedule keeps its hour when daylight saving time starts or ends. Minutes
        and hours count elapsed time.
        """
        try:
            found = self._following(max(after.astimezone(dt.UTC), self._start - dt.timedelta(microseconds=1)))
        except OverflowError:  # after the last year that there is
            return None
        return found if found is not None and (self._end is None or found <= self._end) else None

    def _following(self, after: dt.datetime) -> dt.datetime | None:
        if self._step is not None:
            if after < self._start:
                return self._start
            return self._start + self._step * ((after - self._start) // self._step + 1)
        wall = after.astimezone(self._zone).replace(tzinfo=None)
        if self._cron is not None:
            from croniter import croniter  # a late import, because it takes 60 ms, which a start does not need

            found: dt.datetime | None = croniter(self._cron, wall).get_next(dt.datetime)
            # In the hour that the end of summer time repeats, only a trigger of every hour fires again.
            if found is not None and self._cron.split()[1] == "*" and found - wall <= _HOUR:
                return after + (found - wall)
        else:
            found = self._pattern.after(wall) if self._pattern is not None else None
        if found is None:
            return None
        due = found.replace(tzinfo=self._zone).astimezone(dt.UTC)
        return due if due > after else self._following(found.replace(tzinfo=self._zone, fold=1).astimezone(dt.UTC))

    def _recurrence(self, properties: Json) -> _Pattern | None:
        interval = int(properties["interval"])
        if interval < 1:
            raise _refusal("trigger.interval must be at least 1.")
        frequency = properties["frequency"].lower()
        most = _MOST_MINUTES_OR_HOURS if frequency in _STEPS else _MOST_DAYS_WEEKS_OR_MONTHS
        if interval > most:
            raise _refusal(f"trigger.interval of the frequency {frequency} must be at most {most}.")
        pattern = properties.get("schedule") or {}
        hours, minutes = _numbers(pattern, "hours", 0, 23), _numbers(pattern, "minutes", 0, 59)
        week_days = [day.lower() for day in pattern.get("weekDays") or []]
        if unknown := sorted(set(week_days) - set(_WEEK_DAYS)):
            raise _refusal(f"trigger.schedule.weekDays: '{unknown[0]}' is not a day such as Monday.")
        month_days = _numbers(pattern, "monthDays", 1, 31)
        # azure-ai-ml sends a schedule with empty lists for a trigger without one.
        patterned = any((hours, minutes, week_days, month_days))
        if frequency in _STEPS:
            if patterned:
                raise _refusal(f"trigger.schedule is for frequencies day, week and month, not {frequency}.")
            self._step = _STEPS[frequency] * interval
            return None
        if week_days and frequency == "day":
            raise _refusal("trigger.schedule.weekDays is for frequencies week and month.")
        if month_days and frequency != "month":
            raise _refusal("trigger.schedule.monthDays is for frequency month.")
        try:
            # Not by way of UTC: a start in the hour that summer time skips would become another hour.
            start = self._given.astimezone(self._zone).replace(tzinfo=None)
        except OverflowError as error:
            raise _refusal("trigger.startTime is before the first year that there is.") from error
        months = {(start.month - 1 + turn * interval) % 12 + 1 for turn in range(12)}
        if month_days and min(month_days) > max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in months):
            return None  # no day of its months, whatever the year
        rule = rrule.rrule(
            _FREQUENCIES[frequency],
            dtstart=start,
            interval=interval,
            byhour=sorted(set(hours)) or start.hour,
            byminute=sorted(set(minutes)) or start.minute,
            bysecond=0 if patterned else start.second,
            byweekday=sorted({_WEEK_DAYS.index(day) for day in week_days}) or None,
            bymonthday=sorted(set(month_days)) or (start.day if frequency == "month" and not week_days else None),
        )
        return _Pattern(frequency, interval, start, rule)

    def _moment(self, properties: Json, name: str) -> dt.datetime | None:
        text = properties.get(name)
        if not text:
            return None
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError as error:
            raise _refusal(f"trigger.{name} '{text}' is not a date and time in ISO 8601.") from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
        try:
            moment.astimezone(dt.UTC)
        except OverflowError as error:
            raise _refusal(
                f"trigger.{name} '{text}' is before the first or after the last year that there is."
            ) from error
        return moment


def _cron(expression: str) -> str:
    """Return the expression as the service reads it: like NCrontab, and without days of the month and months.

    Source: "Schedule machine learning pipeline jobs", Limitations: `DAYS` and `MONTHS` values are ignored.
    """
    from croniter import croniter

    if len(expression) > _MOST_CHARACTERS:
        raise _refusal(f"trigger.expression has more than {_MOST_CHARACTERS} characters.")
    fields = [_RANGE.sub(_ascending, _NAME.sub(_number, each)) for each in expression.split()]
    if (
        len(fields) != 5
        or not all(_FIELD.fullmatch(field) for field in fields)
        or not croniter.is_valid(" ".join(fields))
        or _SEVEN.search(fields[4])
    ):
        raise _refusal(
            f"trigger.expression '{expression}' is not a valid cron expression: it has five fields, minute, hour, day "
            "of month, month and day of week, such as '0 6 * * 1-5'."
        )
    minutes, hours, _, _, week_days = fields
    return f"{minutes} {hours} * * {week_days}"


def _number(name: re.Match[str]) -> str:
    """Return the number of a day (Sunday is 0) or a month, by the beginning of its name."""
    names = (*_MONTHS, *_WEEK_DAYS) if len(name[0]) > 2 else ()
    found = next((each for each in names if each.startswith(name[0].lower())), None)
    if found is None:
        return name[0]
    return str(_MONTHS.index(found) if found in _MONTHS else (_WEEK_DAYS.index(found) + 1) % 7)


def _ascending(found: re.Match[str]) -> str:
    first, last = sorted((int(found[1]), int(found[2])))
    return f"{first}-{last}"


def _numbers(pattern: Json, name: str, least: int, most: int) -> list[int]:
    numbers = [int(number) for number in pattern.get(name) or []]
    if any(not least <= number <= most for number in numbers):
        raise _refusal(f"trigger.schedule.{name} must be between {least} and {most}.")
    return numbers


def _zone(name: str) -> zoneinfo.ZoneInfo:
    found = _zones().get(name.lower())
    if found is None:
        raise _refusal(f"trigger.timeZone '{name}' is not a known time zone; use a Windows name such as 'UTC'.")
    return zoneinfo.ZoneInfo(found)


@functools.cache
def _zones() -> dict[str, str]:
    lines = Path(__file__).with_name("time_zones.txt").read_text("utf-8").splitlines()
    return {name.lower(): zone for name, _, zone in (line.partition("=") for line in lines)}


def _refusal(message: str) -> AzureError:
    return AzureError(400, "UserError", message)
