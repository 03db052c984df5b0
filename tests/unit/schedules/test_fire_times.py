"""Schedules fire on the local Azure when the outputs of the program say that they will."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.ai.ml.entities import CronTrigger, RecurrencePattern, RecurrenceTrigger

from amlite.core.triggers import Trigger
from pulumi_azureml.planning import next_fire_times, trigger_problems

_SEED = 14
_ZONES = ("UTC", "W. Europe Standard Time", "Eastern Standard Time", "Lord Howe Standard Time", "India Standard Time")
_CLOCKS_CHANGE = (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 22, 30, tzinfo=UTC))
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _some(random_: random.Random, values: Any) -> Any:
    chosen = random_.sample(list(values), random_.randint(1, 3))
    return sorted(chosen) if random_.random() < 0.7 else chosen[0]


def _trigger(random_: random.Random) -> dict[str, Any]:
    """Return the `trigger:` of a schedule that a preview accepts."""
    trigger: dict[str, Any] = {"time_zone": random_.choice(_ZONES)}
    if random_.random() < 0.5:
        trigger["start_time"] = f"2026-{random_.randint(1, 12):02}-{random_.randint(1, 28):02}T02:15:00"
    if random_.random() < 0.5:
        minute = random_.choice(("0", "30", "*/20", "5-10", "0,45"))
        hour = random_.choice(("*", "2", "1-3", "*/6", "2,14"))
        day = random_.choice(("*", "1-5", "sun", "Monday,Fri", "0,6"))
        return trigger | {"type": "cron", "expression": f"{minute} {hour} * * {day}"}
    frequency = random_.choice(("minute", "hour", "day", "week", "month"))
    trigger |= {"type": "recurrence", "frequency": frequency, "interval": random_.randint(1, 9)}
    if frequency in ("day", "week", "month") and random_.random() < 0.8:
        pattern = {"hours": _some(random_, range(24)), "minutes": _some(random_, range(60))}
        if frequency == "week" or (frequency == "month" and random_.random() < 0.3):
            pattern["week_days"] = _some(random_, _DAYS)
        elif frequency == "month":
            pattern["month_days"] = _some(random_, range(1, 32))
        trigger["schedule"] = pattern
    return trigger


def _sent(trigger: dict[str, Any]) -> dict[str, Any]:
    """Return what azure-ai-ml sends for a trigger."""
    given = {key: value for key, value in trigger.items() if key != "type"}
    if trigger["type"] == "cron":
        return dict(CronTrigger(**given)._to_rest_object().as_dict())
    pattern = given.pop("schedule", None)
    entity = RecurrenceTrigger(**given, schedule=RecurrencePattern(**pattern) if pattern else None)
    return dict(entity._to_rest_object().as_dict())


def test_the_outputs_have_the_times_at_which_the_local_azure_fires() -> None:
    random_ = random.Random(_SEED)
    compared = 0
    for _ in range(400):
        trigger = _trigger(random_)
        assert trigger_problems(trigger) == []
        some_time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=random_.randrange(366 * 24 * 60))
        after = random_.choice((some_time, *_CLOCKS_CHANGE))
        expected = next_fire_times(trigger, after, 6)
        fires, found, moment = Trigger(_sent(trigger), after), [], after
        for _ in expected:
            due = fires.next(moment)
            assert due is not None
            found.append(moment := due)
        assert found == expected, trigger
        compared += bool(expected)
    assert compared > 250
