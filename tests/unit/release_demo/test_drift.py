"""The chapter on drift can fail: it waits for the alert of one rule, and for a job of one name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.release_demo import drift


class Azure:
    """A workspace whose list of jobs gets `job` when the clock was moved `looks` times."""

    def __init__(self, job: str, looks: int) -> None:
        self.job, self.looks, self.advanced = job, looks, 0.0

    def advance(self, seconds: float) -> None:
        self.advanced += seconds

    def arm(self, method: str, path: str, query: str = "") -> Any:
        assert (method, path) == ("GET", "/workspace/jobs")
        there = self.advanced >= self.looks * 900
        return SimpleNamespace(json=lambda: {"value": [{"name": "other"}, *([{"name": self.job}] if there else [])]})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(drift, "_ALERT_SECONDS", 0.0)


def test_the_alert_of_a_rule_is_found_among_others() -> None:
    with drift.Receiver() as receiver:
        with pytest.raises(AssertionError, match="no alert of rule drift"):
            receiver.alert("drift")
        for rule in ("failed-runs", "drift"):
            alert = {"data": {"essentials": {"alertRule": rule}}}
            assert requests.post(f"{receiver.url}/alerts", json=alert, timeout=10).status_code == 200
        assert receiver.alert("drift") == {"alertRule": "drift"}


def test_the_clock_moves_until_the_workflow_has_started_a_training() -> None:
    azure: Any = Azure("flight-delay-daily-drift-105614", looks=2)
    assert drift.retraining(azure, "/workspace") == "flight-delay-daily-drift-105614"
    assert azure.advanced == 2 * 15 * 60


def test_drift_that_starts_no_training_fails_the_demo() -> None:
    azure: Any = Azure("flight-delay-daily-1", looks=1)
    with pytest.raises(AssertionError, match="drift started no training in 90 minutes"):
        drift.retraining(azure, "/workspace")
