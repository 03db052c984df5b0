"""The time amlite's services live in: real time plus an offset that tests and users may move forward."""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
import time


class Clock:
    """A clock whose waits end early when it is moved forward."""

    def __init__(self, offset: float = 0.0) -> None:
        """Start at real time plus `offset` seconds."""
        self.offset = offset
        self._order = itertools.count()
        self._waiters: list[tuple[float, int, asyncio.Future[None]]] = []

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
        """Wait until the clock has moved `seconds` on, by itself or by `advance`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        due = self.timestamp() + seconds
        woken: asyncio.Future[None] = loop.create_future()
        entry = (due, next(self._order), woken)
        heapq.heappush(self._waiters, entry)
        timer = loop.call_later(seconds, self._wake)
        try:
            await woken
        finally:
            timer.cancel()
            if entry in self._waiters:
                self._waiters.remove(entry)
                heapq.heapify(self._waiters)

    def advance(self, seconds: float) -> None:
        """Move the clock forward and end every wait that is now over."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self.offset += seconds
        self._wake()

    def _wake(self) -> None:
        # A loop timer may fire a hair early; without the slack its waiter would never be woken.
        while self._waiters and self._waiters[0][0] <= self.timestamp() + 0.005:
            _, _, woken = heapq.heappop(self._waiters)
            if not woken.done():
                woken.set_result(None)
