"""Data that a monitor reads: callers of an endpoint wrote it, or jobs."""

from __future__ import annotations

import datetime as dt
import json
import time

import pytest

from amlite.services.schedules import signals

pytestmark = pytest.mark.attack
NOON = dt.datetime(2026, 3, 9, 12, tzinfo=dt.UTC)


def test_data_quality_takes_no_time_for_each_pair_of_values() -> None:
    rows = [{"name": f"value {number}"} for number in range(20_000)]
    signal = {"signalType": "DataQuality", "metricThresholds": [{"metric": "OutOfBoundsRate"}]}
    began = time.monotonic()
    assert [each.value for each in signals.evaluate(signal, rows, rows[1:])] == [1 / 20_000]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("line", ["[" * 100_000, "7", '{"specversion": 1}', '{"specversion": 1, "time": 2}'])
def test_a_line_that_is_no_record_is_named(line: str) -> None:
    with pytest.raises(signals.UnusableDataError, match=r"'a\.jsonl', line 2, is"):
        signals.parse("a.jsonl", "{}\n" + line, NOON, NOON)


def test_a_time_without_a_zone_is_utc() -> None:
    times = ("2026-03-09T11:59:59", "2026-03-09T12:00:00", "2026-03-09T12:00:00+01:00")
    records = [json.dumps({"specversion": "1.0", "time": each, "data": [{"at": each}]}) for each in times]
    found = signals.parse("a.jsonl", "\n".join(records), NOON, NOON + dt.timedelta(hours=1))
    assert found == [{"at": "2026-03-09T12:00:00"}]


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n", "a\n" + "x" * 200_000])
def test_a_file_that_is_no_csv_is_named(text: str) -> None:
    with pytest.raises(signals.UnusableDataError, match=r"'a\.csv' is not a CSV file"):
        signals.parse("a.csv", text, NOON, NOON)


def test_a_metric_that_cannot_be_computed_is_named() -> None:
    rows = [{"a": each} for each in json.loads("[Infinity, 1, NaN]")]
    signal = {"signalType": "DataDrift", "metricThresholds": [{"metric": "JensenShannonDistance"}]}
    with pytest.raises(signals.UnusableDataError, match="JensenShannonDistance of 'a' cannot be computed"):
        signals.evaluate(signal, rows, rows)
