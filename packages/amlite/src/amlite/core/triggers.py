"""The times at which a schedule fires: cron expressions and recurrences, in time zones with Windows names."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from pathlib import Path

from dateutil import rrule  # type: ignore[import-untyped]

from amlite.core.errors import AzureError
from amlite.core.wire import Json

_FREQUENCIES = {
    "minute": rrule.MINUTELY,
    "hour": rrule.HOURLY,
    "day": rrule.DAILY,
    "week": rrule.WEEKLY,
    "month": rrule.MONTHLY,
}
_WEEK_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Trigger:
    """A cron or recurrence trigger in its own time zone. Raises AzureError 400 if the service rejects it."""

    def __init__(self, properties: Json, created: dt.datetime) -> None:
        """Parse the `properties` (ARM's `CronTrigger` or `RecurrenceTrigger`) of a schedule created at `created`."""
        self._zone = _zone(properties.get("timeZone") or "UTC")
        start, end = (self._moment(properties, name) for name in ("startTime", "endTime"))
        self._start = start or created.astimezone(self._zone).replace(tzinfo=None)
        self._end = end
        if self._end is not None and self._end <= self._start:
            raise _refusal("trigger.endTime must be later than trigger.startTime.")
        self._cron: str | None = None
        self._rule: rrule.rrule | None = None
        if properties["triggerType"].lower() == "cron":
            self._cron = _cron(properties["expression"])
        else:
            self._rule = self._recurrence(properties)

    def next(self, after: dt.datetime) -> dt.datetime | None:
        """Return the first time (UTC) after `after` at which the trigger fires, or None if it has ended.

        Wall-clock times are local: a daily schedule keeps its hour when daylight saving time starts or ends.
        """
        local = max(after.astimezone(self._zone).replace(tzinfo=None), self._start - dt.timedelta(microseconds=1))
        while (found := self._following(local)) is not None and (self._end is None or found <= self._end):
            due = found.replace(tzinfo=self._zone).astimezone(dt.UTC)
            if due > after:
                return due
            local = found
        return None

    def _following(self, local: dt.datetime) -> dt.datetime | None:
        if self._cron is not None:
            from croniter import croniter  # a late import, because it takes 60 ms, which a start does not need

            found: dt.datetime = croniter(self._cron, local).get_next(dt.datetime)
            return found
        return self._rule.after(local) if self._rule is not None else None

    def _recurrence(self, properties: Json) -> rrule.rrule:
        interval = int(properties["interval"])
        if interval < 1:
            raise _refusal("trigger.interval must be at least 1.")
        frequency = properties["frequency"].lower()
        pattern = properties.get("schedule") or {}
        if pattern and frequency in ("minute", "hour"):
            raise _refusal(f"trigger.schedule is for frequencies day, week and month, not {frequency}.")
        hours, minutes = _numbers(pattern, "hours", 0, 23), _numbers(pattern, "minutes", 0, 59)
        week_days = [day.lower() for day in pattern.get("weekDays") or []]
        month_days = _numbers(pattern, "monthDays", 1, 31)
        if week_days and frequency != "week":
            raise _refusal("trigger.schedule.weekDays is for frequency week.")
        if month_days and frequency != "month":
            raise _refusal("trigger.schedule.monthDays is for frequency month.")
        return rrule.rrule(
            _FREQUENCIES[frequency],
            dtstart=self._start,
            interval=interval,
            byhour=hours or None,
            byminute=minutes or None,
            bysecond=0 if pattern else None,
            byweekday=[_WEEK_DAYS.index(day) for day in week_days] or None,
            bymonthday=month_days or None,
        )

    def _moment(self, properties: Json, name: str) -> dt.datetime | None:
        text = properties.get(name)
        if not text:
            return None
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError as error:
            raise _refusal(f"trigger.{name} '{text}' is not a date and time in ISO 8601.") from error
        return moment.astimezone(self._zone).replace(tzinfo=None) if moment.tzinfo else moment


def _cron(expression: str) -> str:
    from croniter import croniter

    fields = expression.split()
    if len(fields) != 5 or not croniter.is_valid(expression):
        raise _refusal(
            f"trigger.expression '{expression}' is not a valid cron expression: it has five fields, minute, hour, day "
            "of month, month and day of week, such as '0 6 * * 1-5'."
        )
    return expression


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
