from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

import pytest
from dateutil import rrule  # type: ignore[import-untyped]

from amlite.core import triggers
from amlite.core.errors import AzureError
from amlite.core.triggers import Trigger

CREATED = dt.datetime(2026, 1, 1, 12, 30, tzinfo=dt.UTC)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def cron(expression: str, **more: str) -> dict[str, Any]:
    return {"triggerType": "Cron", "expression": expression, **more}


def recurrence(
    frequency: str, interval: int = 1, schedule: dict[str, Any] | None = None, **more: str
) -> dict[str, Any]:
    return {"triggerType": "Recurrence", "frequency": frequency, "interval": interval, "schedule": schedule, **more}


def firings(properties: dict[str, Any], count: int, since: dt.datetime = CREATED) -> list[str]:
    trigger, found = Trigger(properties, CREATED), []
    due: dt.datetime | None = since
    while len(found) < count and due is not None and (due := trigger.next(due)) is not None:
        found.append(due.strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (cron("0 5 * * *"), ["01-02 05:00", "01-03 05:00", "01-04 05:00"]),
        (cron("*/20 12 * * *"), ["01-01 12:40", "01-02 12:00", "01-02 12:20"]),
        (cron("0 9 * * 1-5"), ["01-02 09:00", "01-05 09:00", "01-06 09:00"]),
        # Source: "Schedule machine learning pipeline jobs", Limitations: the service ignores days and months.
        (cron("0 5 1 6 *"), ["01-02 05:00", "01-03 05:00", "01-04 05:00"]),
        # NCrontab takes whole names, and swaps a range that runs backwards.
        (cron("0 9 * * Friday-1"), ["01-02 09:00", "01-05 09:00", "01-06 09:00"]),
        (cron("0 5 * * *", startTime="2026-02-01 00:00:00"), ["02-01 05:00", "02-02 05:00", "02-03 05:00"]),
        (cron("0 5 * * *", endTime="2026-01-03T05:00:00"), ["01-02 05:00", "01-03 05:00"]),
        # A file keeps its end after that time. In a new workspace, its schedule never fires.
        (cron("0 5 * * *", endTime="2025-12-31T05:00:00"), []),
        (cron("0 5 * * *", timeZone="Tokyo Standard Time"), ["01-01 20:00", "01-02 20:00", "01-03 20:00"]),
        (recurrence("minute", 20), ["01-01 12:50", "01-01 13:10", "01-01 13:30"]),
        (recurrence("Hour", 6, startTime="2026-01-01T03:00:00"), ["01-01 15:00", "01-01 21:00", "01-02 03:00"]),
        # azure-ai-ml sends an empty schedule for a trigger without one.
        (recurrence("hour", 6, {"hours": [], "minutes": []}), ["01-01 18:30", "01-02 00:30", "01-02 06:30"]),
        (recurrence("day", 2, {"hours": [6, 18], "minutes": [0]}), ["01-01 18:00", "01-03 06:00", "01-03 18:00"]),
        # There is no 02:30 on 29 March. The recurrence is daily at 02:30 all the same, and not at 03:30.
        (
            recurrence("day", startTime="2026-03-29T02:30:00", timeZone="W. Europe Standard Time"),
            ["03-30 00:30", "03-31 00:30", "04-01 00:30"],
        ),
        (
            recurrence("week", 1, {"hours": [10], "minutes": [15], "weekDays": ["Monday", "friday"]}),
            ["01-02 10:15", "01-05 10:15", "01-09 10:15"],
        ),
        (
            recurrence("month", 1, {"hours": [0], "minutes": [0], "monthDays": [15, 31]}),
            ["01-15 00:00", "01-31 00:00", "02-15 00:00"],
        ),
    ],
)
def test_next_follows_the_trigger(trigger: dict[str, Any], expected: list[str]) -> None:
    assert firings(trigger, 3) == expected


def test_a_daily_schedule_keeps_its_local_hour_over_summer_time() -> None:
    trigger = cron("30 7 * * *", timeZone="W. Europe Standard Time")
    assert firings(trigger, 3, at("2026-03-28T00:00")) == ["03-28 06:30", "03-29 05:30", "03-30 05:30"]


def test_an_hour_that_summer_time_skips_fires_once_that_day() -> None:
    trigger = cron("30 2 * * *", timeZone="W. Europe Standard Time")
    assert firings(trigger, 3, at("2026-03-28T00:00")) == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]


def test_an_hour_that_winter_time_repeats_fires_once_a_day_and_every_time_of_an_hourly_trigger() -> None:
    zone, night = {"timeZone": "W. Europe Standard Time"}, at("2026-10-24T23:59")
    assert firings(cron("30 2 * * *", **zone), 2, night) == ["10-25 00:30", "10-26 01:30"]
    assert firings(cron("30 * * * *", **zone), 3, night) == ["10-25 00:30", "10-25 01:30", "10-25 02:30"]
    every_hour = recurrence("hour", 1, startTime="2026-10-25T01:00:00", **zone)
    assert firings(every_hour, 3, night) == ["10-25 00:00", "10-25 01:00", "10-25 02:00"]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        (cron("0 5 * *"), "five fields"),
        (cron("0 0 5 * * *"), "five fields"),
        (cron("61 5 * * *"), "five fields"),
        (cron("0 5 * * 7"), "five fields"),
        (cron("0 5 L * *"), "five fields"),
        (cron("0 5 * * *", timeZone="Europe/Berlin"), "Windows name"),
        (cron("0 5 * * *", startTime="soon"), "startTime"),
        (cron("0 5 * * *", startTime="2026-02-01", endTime="2026-01-01"), "endTime"),
        (recurrence("day", 0), "interval"),
        (recurrence("day", 10_001), "at most 10000"),
        (recurrence("week", 1, {"hours": [1], "minutes": [0], "weekDays": ["funday"]}), "not a day"),
        (recurrence("minute", 10**18), "at most 1000000"),
        (recurrence("day", startTime="0001-01-01T00:00:00Z", timeZone="Pacific Standard Time"), "first year"),
        (recurrence("hour", 1, {"hours": [1], "minutes": [0]}), "frequencies day, week and month"),
        (recurrence("day", 1, {"hours": [24], "minutes": [0]}), "hours"),
        (recurrence("day", 1, {"hours": [1], "minutes": [0], "weekDays": ["Monday"]}), "weekDays"),
        (recurrence("week", 1, {"hours": [1], "minutes": [0], "monthDays": [1]}), "monthDays"),
    ],
)
def test_a_wrong_trigger_is_refused(trigger: dict[str, Any], said: str) -> None:
    with pytest.raises(AzureError, match=said) as refused:
        Trigger(trigger, CREATED)
    assert refused.value.status == 400


def test_every_time_zone_of_the_client_is_known() -> None:
    from azure.ai.ml.constants import TimeZone

    zones = triggers._zones()
    assert {zone.value.lower() for zone in TimeZone} <= set(zones)
    for name in zones.values():
        zoneinfo.ZoneInfo(name)


@pytest.mark.attack
def test_a_long_expression_is_refused_before_it_is_read() -> None:
    with pytest.raises(AzureError, match="more than 1000 characters"):
        Trigger(cron(f"{'1' * 1_000_000} * * * *"), CREATED)


_EVERY_MINUTE = {"hours": [*range(24)], "minutes": [*range(60)]}


@pytest.mark.attack
@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (recurrence("day", 1, startTime="0001-01-02T05:00:00"), ["01-02 05:00", "01-03 05:00"]),
        (recurrence("day", 1, _EVERY_MINUTE, startTime="0001-01-02T05:00:00"), ["01-01 12:31", "01-01 12:32"]),
        (recurrence("week", 1, {"weekDays": ["friday"]}, startTime="0001-01-02T05:00:00"), ["01-02 05:00"]),
        (recurrence("month", 1, _EVERY_MINUTE, startTime="0001-01-31T05:00:00"), ["01-31 00:00", "01-31 00:01"]),
        (recurrence("month", 12, {"monthDays": [30], **_EVERY_MINUTE}, startTime="2025-02-01T05:00:00"), []),
        (recurrence("day", 10_000, startTime="2025-12-01T00:00:00"), ["04-18 00:00", "09-03 00:00"]),
    ],
)  # fmt: skip
def test_no_recurrence_counts_through_all_years(
    trigger: dict[str, Any], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All schedules wait for one that does, and so does every other request."""
    days, each = 0, rrule.rrule._iter

    def counted(rule: Any) -> Any:
        nonlocal days
        for found in each(rule):
            days += 1
            yield found

    monkeypatch.setattr(rrule.rrule, "_iter", counted)
    assert firings(trigger, len(expected) or 1) == expected
    assert days < 100_000


@pytest.mark.parametrize("frequency", ["day", "week", "month"])
@pytest.mark.parametrize("interval", [1, 2, 3, 7])
@pytest.mark.parametrize("start", ["2025-01-31T17:45:00", "2024-02-29T00:00:00"])
@pytest.mark.parametrize(
    "pattern", [{}, {"hours": [3], "minutes": [20]}, {"minutes": [50, 10]}, {"weekDays": ["Monday", "Sunday"]},
                {"monthDays": [1, 29]}, {"monthDays": [1, 13], "weekDays": ["friday"]}]
)  # fmt: skip
def test_a_recurrence_is_the_same_from_its_start_and_from_later(
    frequency: str, interval: int, start: str, pattern: dict[str, Any]
) -> None:
    try:
        trigger = Trigger(recurrence(frequency, interval, pattern, startTime=start), CREATED)
    except AzureError:
        return  # there is no such pattern
    assert trigger._pattern is not None
    for hours in range(0, 24 * 500, 1201):
        wall = CREATED.replace(tzinfo=None) + dt.timedelta(hours=hours)
        assert trigger._pattern.after(wall) == trigger._pattern.rule.after(wall)
