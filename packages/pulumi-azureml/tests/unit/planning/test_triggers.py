"""When schedules fire."""

import warnings
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from pulumi_azureml.planning import triggers

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)  # a Friday; Europe's clocks go forward on the 29th


def times(count: int = 5, **trigger: Any) -> list[str]:
    assert triggers.check(trigger) == []
    return [f"{moment:%m-%d %H:%M}" for moment in triggers.next_fire_times(trigger, NOW, count)]


def test_12_the_next_five_times_of_a_cron_schedule() -> None:
    assert times(type="cron", expression="0 6 * * 1-5") == [
        "03-30 06:00",
        "03-31 06:00",
        "04-01 06:00",
        "04-02 06:00",
        "04-03 06:00",
    ]


@pytest.mark.parametrize("zone", ["W. Europe Standard Time", "w. europe standard time"])
def test_a_zone_keeps_its_local_time_when_clocks_change(zone: str) -> None:
    assert times(3, type="cron", expression="0 6 * * *", time_zone=zone) == [
        "03-28 05:00",
        "03-29 04:00",
        "03-30 04:00",
    ]
    daily = {"type": "recurrence", "frequency": "day", "interval": 1, "schedule": {"hours": 6, "minutes": 0}}
    assert times(3, **daily, time_zone=zone) == ["03-28 05:00", "03-29 04:00", "03-30 04:00"]


def test_weekly_recurrences() -> None:
    pattern = {"hours": [6, 18], "minutes": 30, "week_days": ["monday", "Friday"]}
    assert times(type="recurrence", frequency="week", interval=1, schedule=pattern) == [
        "03-27 18:30",
        "03-30 06:30",
        "03-30 18:30",
        "04-03 06:30",
        "04-03 18:30",
    ]
    assert times(2, type="recurrence", frequency="week", interval=2, start_time="2026-03-23T07:00:00") == [
        "04-06 07:00",
        "04-20 07:00",
    ]


def test_monthly_recurrences() -> None:
    pattern = {"hours": 0, "minutes": 0, "month_days": [1, 31]}
    assert times(4, type="recurrence", frequency="month", interval=1, schedule=pattern) == [
        "03-31 00:00",
        "04-01 00:00",
        "05-01 00:00",
        "05-31 00:00",
    ]
    pattern = {"hours": 0, "minutes": 0, "week_days": "monday"}
    assert times(2, type="recurrence", frequency="month", interval=1, schedule=pattern) == [
        "03-30 00:00",
        "04-06 00:00",
    ]


def test_short_recurrences_count_from_the_start() -> None:
    assert times(3, type="recurrence", frequency="hour", interval=6, start_time="2026-03-01T01:15:00") == [
        "03-27 13:15",
        "03-27 19:15",
        "03-28 01:15",
    ]
    assert times(1, type="recurrence", frequency="minute", interval=7, start_time="2026-04-01T00:00:00") == [
        "04-01 00:00"
    ]


def test_a_schedule_that_ends_has_fewer_times() -> None:
    assert times(type="cron", expression="0 6 * * *", end_time="2026-03-29T06:00:00") == ["03-28 06:00", "03-29 06:00"]


@pytest.mark.parametrize(
    "trigger",
    [
        {"frequency": "hour", "interval": 1},
        {"frequency": "day", "interval": 1},
        {"frequency": "week", "interval": 2, "schedule": {"hours": 6, "minutes": 0, "week_days": "monday"}},
        {"frequency": "week", "interval": 1, "schedule": {"hours": 6, "minutes": 0}},
        {"frequency": "month", "interval": 1, "schedule": {"hours": 6, "minutes": 0}},
    ],
)
def test_a_recurrence_that_azure_counts_from_its_creation_has_no_times_here(trigger: dict[str, Any]) -> None:
    assert times(type="recurrence", **trigger) == []
    assert times(type="recurrence", **trigger, start_time="2026-03-01T07:00:00") != []


def test_a_time_with_an_offset_is_sent_in_the_time_zone_of_the_trigger() -> None:
    """azure-ai-ml formats a start time without its offset (`_format_trigger_time`)."""
    assert triggers.local_time("2022-05-10T10:15:00-04:00", "W. Europe Standard Time") == "2022-05-10T16:15:00"
    assert triggers.local_time("2022-05-10T10:15:00", "W. Europe Standard Time") is None


MONTHLY = "write `type: recurrence`, `frequency: month`, `interval: {}`{} and `schedule: {{{}}}`"
OTHERWISE = "write * for both and check the date in the pipeline, or use one `type: recurrence` for each month"


@pytest.mark.parametrize(
    ("expression", "fix"),
    [
        ("0 6 1 * *", MONTHLY.format(1, "", "month_days: [1], hours: [6], minutes: [0]")),
        (
            "30 6,18 1,15 */3 *",
            MONTHLY.format(3, ", `start_time` in month 1", "month_days: [1, 15], hours: [6, 18], minutes: [30]"),
        ),
        (
            "0 6 24 12 *",
            MONTHLY.format(12, ", `start_time` in month 12", "month_days: [24], hours: [6], minutes: [0]"),
        ),
        ("0 6 1 * 1", OTHERWISE),
        ("0 6 * 1,3 *", OTHERWISE),
    ],
)
def test_days_and_months_that_azure_ignores_are_refused_with_what_to_write(expression: str, fix: str) -> None:
    """Source: "Schedule machine learning pipeline jobs", Limitations."""
    (error,) = triggers.check({"type": "cron", "expression": expression})
    assert str(error) == f"the service ignores the days of the month and the months in '{expression}'"
    assert error.fix == fix
    assert triggers.check({"type": "cron", "expression": "0 6 1-31 */1 *"}) == []


def test_an_iana_zone_is_refused_with_the_name_that_azure_has() -> None:
    (error,) = triggers.check({"type": "cron", "expression": "0 6 * * *", "time_zone": "Europe/Berlin"})
    assert (error.key, error.fix) == ("time_zone", "write 'W. Europe Standard Time'")


@pytest.mark.parametrize(
    ("trigger", "key"),
    [
        ({"type": "cron", "expression": "0 6 * *"}, "expression"),
        ({"type": "cron", "expression": "0 6 * * * *"}, "expression"),
        ({"type": "cron", "expression": "@daily"}, "expression"),
        ({"type": "cron", "expression": "61 6 * * *"}, "expression"),
        ({"type": "cron", "expression": "0 6 31 2 *"}, "expression"),
        ({"type": "cron", "expression": "0 6 L * *"}, "expression"),
        ({"type": "cron", "expression": "0 6 ? * *"}, "expression"),
        ({"type": "cron", "expression": "0 6 * * 7"}, "expression"),
        ({"type": "cron", "expression": "0 6 * * 5-1"}, "expression"),
        ({"type": "cron", "expression": "*/0 6 * * *"}, "expression"),
        ({"type": "cron", "expression": "0 6 * * mon#1"}, "expression"),
        ({"type": "cron", "expression": "0 6 * * *", "time_zone": "W. Europa Standard Time"}, "time_zone"),
        ({"type": "cron", "expression": "0 6 * * *", "time_zone": "../etc/passwd"}, "time_zone"),
        ({"type": "cron", "expression": "0 6 * * *", "start_time": "soon"}, "start_time"),
        ({"type": "cron", "expression": "0 6 * * *", "start_time": "2026-02-01", "end_time": "2026-01-01"}, "end_time"),
        ({"type": "recurrence", "frequency": "daily", "interval": 1}, "frequency"),
        ({"type": "recurrence", "frequency": "day", "interval": 0}, "interval"),
        ({"type": "recurrence", "frequency": "day", "interval": 1.5}, "interval"),
        ({"type": "recurrence", "frequency": "day", "interval": 10**9}, "interval"),
        ({"type": "recurrence", "frequency": "hour", "interval": 1, "schedule": {"minutes": 5}}, "schedule"),
        ({"type": "recurrence", "frequency": "day", "interval": 1, "schedule": {"week_days": "monday"}}, "schedule"),
        ({"type": "recurrence", "frequency": "week", "interval": 1, "schedule": {"month_days": 1}}, "schedule"),
        ({"type": "recurrence", "frequency": "month", "interval": 1, "schedule": {"month_days": -1}}, "schedule"),
        (
            {"type": "recurrence", "frequency": "day", "interval": 1, "schedule": {"hours": 24, "minutes": 0}},
            "schedule",
        ),
        ({"type": "recurrence", "frequency": "day", "interval": 1, "schedule": {"week_days": ["fryday"]}}, "schedule"),
    ],
)
def test_a_trigger_that_cannot_work_says_which_key_is_wrong(trigger: dict[str, Any], key: str) -> None:
    assert [error.key for error in triggers.check(trigger)] == [key]


def test_every_name_that_azure_ml_offers_is_a_zone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml.constants import TimeZone

    assert {zone.value for zone in TimeZone} == set(triggers.windows_zones())
    assert set(triggers.windows_zones().values()) <= available_timezones()


def test_the_zones_are_those_that_the_names_say() -> None:
    moment = datetime(2026, 1, 15, tzinfo=UTC)
    for name, hours in {
        "UTC-11": -11,
        "UTC-02": -2,
        "UTC+12": 12,
        "Tokyo Standard Time": 9,
        "Eastern Standard Time": -5,
    }.items():
        assert moment.astimezone(ZoneInfo(triggers.windows_zones()[name])).utcoffset() == timedelta(hours=hours)
