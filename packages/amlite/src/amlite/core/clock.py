"""The time of amlite's services: real time plus an offset that tests and users can move forward."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


class LateError(TimeoutError):
    """Work did not end in its time on amlite's clock."""


class Clock:
    """A clock whose waits end early when it is moved forward."""

    def __init__(self, offset: float = 0.0) -> None:
        """Start at real time plus `offset` seconds."""
        self.offset = offset
        self._moved = asyncio.Event()

    def timestamp(self) -> float:
        """Return the current time in seconds since the epoch."""
        return time.time() + self.offset

    def now(self) -> dt.datetime:
        """Return the current time, UTC."""
        return dt.datetime.fromtimestamp(self.timestamp(), dt.UTC)

    def stamp(self) -> str:
        """Return the current time as Azure writes it, such as `2026-01-31T12:00:00.1234567Z`."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has moved forward by `seconds`, by itself or by `advance`."""
        due = self.timestamp() + seconds
        await asyncio.sleep(0)
        # A loop, because a timer can end early: it does not use the wall clock.
        while (left := due - self.timestamp()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left)

    async def within(self, seconds: float, work: Awaitable[_T]) -> _T:
        """Wait for work for at most `seconds` of this clock, and cancel it then. Raises LateError."""
        working, limit = asyncio.ensure_future(work), asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait((working, limit), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise LateError
            return await working
        finally:
            working.cancel()
            limit.cancel()
            await asyncio.gather(working, limit, return_exceptions=True)

    async def sleep_until(self, changed: asyncio.Event, seconds: float) -> None:
        """Wait as `sleep` does, but no longer than until an event is set."""
        with contextlib.suppress(LateError):
            await self.within(seconds, changed.wait())

    def advance(self, seconds: float) -> None:
        """Move the clock forward and end every wait that is now due."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self.offset += seconds
        self._moved.set()
        self._moved = asyncio.Event()
