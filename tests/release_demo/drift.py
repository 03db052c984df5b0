"""What drift sets off: an alert at a webhook, and a training that nobody submits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from amlite.testing import LocalAzure
from tests.hosts.server import Answer, FakeHost, Request

SCHEDULE = "flight-delay-daily"
# Minutes between two looks of the Logic App at the queue, and the seconds that a look may take here.
POLL_MINUTES = 15
_LOOK_SECONDS = 10.0
_LOOKS = 6
_ALERT_SECONDS = 60.0
_JOB_SECONDS = 600.0
T = TypeVar("T")
_ENDED = ("Completed", "Failed", "Canceled")


class Receiver(FakeHost):
    """The webhook of a team's chat, on loopback."""

    def answer(self, request: Request) -> Answer:
        """Accept whatever comes."""
        return Answer(200)

    def alert(self, rule: str) -> dict[str, Any]:
        """Wait for an alert of a rule, and return its essentials."""

        def arrived() -> dict[str, Any] | None:
            found = [each.body["data"]["essentials"] for each in self.requests]
            return next((each for each in found if each["alertRule"] == rule), None)

        alert = _until(arrived, _ALERT_SECONDS)
        assert alert is not None, f"no alert of rule {rule} arrived within {_ALERT_SECONDS:.0f} s"
        return alert


def retraining(azure: LocalAzure, workspace: str) -> str:
    """Wait for the job that the Logic App submits, and return its name. Moves the clock to the next looks."""

    def submitted() -> str | None:
        found = azure.arm("GET", f"{workspace}/jobs", query="&listViewType=All").json()["value"]
        return next((each["name"] for each in found if each["name"].startswith(f"{SCHEDULE}-drift-")), None)

    for _ in range(_LOOKS):
        azure.advance(POLL_MINUTES * 60)
        if (job := _until(submitted, _LOOK_SECONDS)) is not None:
            return job
    raise AssertionError(f"drift started no training in {_LOOKS * POLL_MINUTES} minutes")


def ended(azure: LocalAzure, job: str) -> str:
    """Wait until a job has ended, by its ARM id, and return its status."""

    def status() -> str | None:
        found = str(azure.arm("GET", job).json()["properties"]["status"])
        return found if found in _ENDED else None

    return _until(status, _JOB_SECONDS) or f"still running after {_JOB_SECONDS:.0f} s"


def _until(ask: Callable[[], T | None], seconds: float) -> T | None:
    """Ask until there is a result, for at most some seconds."""
    deadline = time.monotonic() + seconds
    while (found := ask()) is None and time.monotonic() < deadline:
        time.sleep(0.2)
    return found
