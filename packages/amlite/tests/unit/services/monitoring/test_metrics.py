from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable

import pytest

from amlite.core.platform import Platform
from amlite.services.monitoring import measurements, metrics, queries
from amlite.services.monitoring.queries import Clause, MonitorError
from amlite.services.monitoring.service import SERVICE

ENDPOINT = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e"
)
NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
BY_NAME = {metric.name: metric for metric in metrics.ENDPOINT}


def scored(platform: Platform, deployment: str, status: int, *milliseconds: float) -> None:
    for each in milliseconds:
        measurements.record(platform, ENDPOINT, deployment, status, status, each / 1000)


def to_next(seconds: int, platform: Platform) -> None:
    """Move the clock to the start of a minute or an hour, so that a test's requests are in one."""
    platform.advance(seconds - platform.clock.timestamp() % seconds)


def values(platform: Platform, metric: str, filter_: str = "", minutes: int = 2) -> dict[tuple[str, ...], list[object]]:
    """Return the last minutes' values by the combination of dimensions; the newest minute last."""
    end = platform.clock.now() + MINUTE
    starts = queries.intervals(None, end - minutes * MINUTE, end - MINUTE, adjust=False)[0][-minutes:]
    found = measurements.minutes(platform, ENDPOINT, starts[0], end)
    clauses = queries.clauses(filter_, BY_NAME[metric].dimensions, metric)
    split = [clause.dimension for clause in clauses]
    series = metrics.evaluate(BY_NAME[metric], found, starts, MINUTE, clauses, split)
    return {
        tuple(each.dimensions.values()): [point.get("average") for point in each.points.values()] for each in series
    }


async def test_requests_are_counted_by_minute_deployment_and_status(platform: Platform) -> None:
    to_next(60, platform)
    scored(platform, "blue", 200, 10, 10, 10)
    scored(platform, "green", 200, 10)
    scored(platform, "green", 424, 10)
    platform.advance(60)
    scored(platform, "green", 500, 10, 10)
    asked = "deployment eq 'GREEN' and statusCodeClass eq '*'"
    assert values(platform, "RequestsPerMinute", asked) == {
        ("green", "2xx"): [1.0, None],
        ("green", "4xx"): [1.0, None],
        ("green", "5xx"): [None, 2.0],
    }
    assert values(platform, "RequestsPerMinute") == {(): [5.0, 2.0]}
    assert values(platform, "RequestsPerMinute", "statusCodeClass ne '2xx'") == {
        ("4xx",): [1, None],
        ("5xx",): [None, 2],
    }
    assert values(platform, "RequestsPerMinute", "deployment eq 'red'") == {}


async def test_measurements_survive_a_restart_and_are_forgotten_with_the_endpoint(
    open_platform: Callable[[], Platform],
) -> None:
    first = open_platform()
    to_next(60, first)
    scored(first, "blue", 200, 20)
    SERVICE.stop(first)
    scored(first, "blue", 200, 40)
    await asyncio.sleep(2 * measurements._COLLECTED_SECONDS)  # without a stop, they are written soon
    later = open_platform()
    assert values(later, "RequestLatency") == {(): [None, 30.0]}
    measurements.forget(later, ENDPOINT)
    assert values(later, "RequestLatency") == {(): [None, None]}


async def test_percentiles_are_durations_that_so_many_requests_did_not_exceed(platform: Platform) -> None:
    to_next(60, platform)
    scored(platform, "blue", 200, *range(1, 100), 1000)
    expected = {"RequestLatency_P50": 50.0, "RequestLatency_P90": 90.0, "RequestLatency_P99": 99.0}
    for name, duration in expected.items():
        assert values(platform, name, minutes=1) == {(): [duration]}
    assert values(platform, "RequestLatency", minutes=1) == {(): [pytest.approx(59.5)]}


async def test_longer_intervals_average_minutes_but_weigh_the_mean_latency_by_requests(platform: Platform) -> None:
    to_next(3600, platform)
    scored(platform, "blue", 200, 10, 10, 10)
    platform.advance(60)
    scored(platform, "blue", 200, 50)
    start = platform.clock.now() - MINUTE
    hour = dt.timedelta(hours=1)
    starts, _ = queries.intervals("PT1H", start, start + hour, adjust=False)
    found = measurements.minutes(platform, ENDPOINT, starts[0], starts[0] + hour)
    mean = {
        name: metrics.evaluate(BY_NAME[name], found, starts, hour, [], [])[0].points[starts[0]]["average"]
        for name in ("RequestsPerMinute", "RequestLatency", "RequestLatency_P50")
    }
    assert mean == {"RequestsPerMinute": 2.0, "RequestLatency": 20.0, "RequestLatency_P50": 30.0}


async def test_what_azure_keeps_no_longer_is_deleted(platform: Platform) -> None:
    scored(platform, "blue", 200, 10)
    measurements.write(platform)
    old = platform.clock.now() - MINUTE
    platform.advance(94 * 86400)
    scored(platform, "blue", 200, 10)
    assert len(measurements.minutes(platform, ENDPOINT, old, platform.clock.now())) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T10:00:00Z/2026-01-31T11:00:00Z", (NOW - 2 * MINUTE * 60, NOW - MINUTE * 60)),
        ("2026-01-31T11:00:00+00:00/PT30M", (NOW - 60 * MINUTE, NOW - 30 * MINUTE)),
        ("PT5M", (NOW - 5 * MINUTE, NOW)),
        (None, (NOW - 60 * MINUTE, NOW)),
    ],
)
def test_time_spans(text: str | None, expected: tuple[dt.datetime, dt.datetime]) -> None:
    assert queries.span(text, NOW) == expected


def test_intervals_begin_where_the_clock_has_them() -> None:
    start = NOW - 91 * MINUTE
    starts, length = queries.intervals("pt30m", start, NOW, adjust=False)
    assert ([at.minute for at in starts], length) == ([0, 30, 0, 30], 30 * MINUTE)
    assert queries.intervals("PT2M", start, NOW, adjust=True)[1] == 5 * MINUTE
    assert queries.intervals("FULL", start, NOW, adjust=False) == ([start], 91 * MINUTE)
    assert queries.intervals("PT1H", NOW - 60 * MINUTE, NOW, adjust=False)[0] == [NOW - 60 * MINUTE]


def test_a_filter_reads_tests_of_each_dimension() -> None:
    read = queries.clauses("(a eq 'x' or A eq 'it''s') and b sw '4'", ["a", "b"], "M")
    assert read == [Clause("a", (("eq", "x"), ("eq", "it's"))), Clause("b", (("sw", "4"),))]
    assert [read[0].matches(value) for value in ("X", "it's", "z")] == [True, True, False]
    assert [read[1].matches(value) for value in ("404", "200")] == [True, False]


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda: queries.clauses("c eq 'x'", ["a", "b"], "M"), "combination: c, supported ones are: a,b"),
        (lambda: queries.clauses("a = 'x'", ["a"], "M"), "expected \"name eq 'value'\""),
        (lambda: queries.clauses("a eq 'x' or b eq 'y'", ["a", "b"], "M"), "one dimension only"),
        (lambda: queries.clauses("a eq 'x' and", ["a"], "M"), "expected 'and' or 'or' and another test"),
        (lambda: queries.span("yesterday/today", NOW), "timespan: 'yesterday/today'"),
        (lambda: queries.span("2026-01-31T11:00:00Z/2026-01-31T10:00:00Z", NOW), "ends before it starts"),
        (lambda: queries.intervals("PT2M", NOW - MINUTE, NOW, adjust=False), "Invalid time grain"),
        (lambda: queries.intervals("PT1M", NOW - dt.timedelta(days=90), NOW, adjust=False), "too many intervals"),
    ],
)  # fmt: skip
def test_questions_that_cannot_be_answered_are_refused_by_name(ask: Callable[[], object], reason: str) -> None:
    with pytest.raises(MonitorError) as raised:
        ask()
    assert reason in raised.value.message
    assert set(json.loads(raised.value.content()[0])) == {"code", "message"}
