"""amlite's clock for tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from amlite.testing.local_azure import LocalAzure


@dataclass(frozen=True)
class Clock:
    """The clock of schedules, waits and time stamps. It only moves forward. A test does not reset it."""

    azure: LocalAzure

    def now(self) -> dt.datetime:
        """Return the time, UTC."""
        return self.azure.now()

    def advance(self, seconds: float = 0, **units: float) -> dt.datetime:
        """Move forward by seconds, or by units of `datetime.timedelta`, such as `days=1`. Return the new time."""
        self.azure.advance(seconds + dt.timedelta(**units).total_seconds())
        return self.now()

    def advance_to(self, moment: dt.datetime) -> dt.datetime:
        """Move forward to a time (with its time zone). Return the new time.

        Raises:
            ValueError: the time has passed.
        """
        left = (moment - self.now()).total_seconds()
        if left < 0:
            raise ValueError(f"amlite's clock is {-left:.0f} seconds past {moment.isoformat()}, and only moves forward")
        return self.advance(left)
