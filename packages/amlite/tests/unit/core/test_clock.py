from __future__ import annotations

import asyncio
import datetime as dt
import math

import pytest

from amlite.core.clock import Clock, LateError

DAY = 86400.0


async def _asleep() -> None:
    """Let every task that is ready run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_moving_the_clock_ends_the_waits_that_are_over() -> None:
    clock = Clock()
    short, long = (asyncio.create_task(clock.sleep(seconds)) for seconds in (DAY, 3 * DAY))
    await _asleep()
    clock.advance(2 * DAY)
    await short
    assert not long.done()
    clock.advance(DAY)
    await long


async def test_waits_begun_after_a_move_count_from_there() -> None:
    clock = Clock()
    clock.advance(DAY)
    wait = asyncio.create_task(clock.sleep(DAY))
    await _asleep()
    clock.advance(DAY / 2)
    await _asleep()
    assert not wait.done()
    clock.advance(DAY / 2)
    await wait


async def test_time_itself_ends_a_wait() -> None:
    clock = Clock()
    before = clock.timestamp()
    await clock.sleep(0.01)
    assert clock.timestamp() >= before + 0.01


async def test_no_time_and_time_past_return_at_once() -> None:
    clock = Clock()
    await clock.sleep(0)
    await clock.sleep(-DAY)


async def test_a_wait_can_be_canceled() -> None:
    clock = Clock()
    wait = asyncio.create_task(clock.sleep(DAY))
    await _asleep()
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    clock.advance(2 * DAY)


def test_never_back() -> None:
    with pytest.raises(ValueError, match="only moves forward"):
        Clock().advance(-1)


def test_offset_is_the_difference_to_real_time_and_stamps_are_azures() -> None:
    clock = Clock(10 * DAY)
    assert abs((clock.now() - dt.datetime.now(dt.UTC)).total_seconds() - 10 * DAY) < 60
    stamp = clock.stamp()
    assert len(stamp) == len("2026-01-31T12:00:00.1234567Z")
    assert stamp.endswith("0Z")


async def test_work_that_is_late_is_cancelled_and_earlier_work_returns() -> None:
    clock, ended = Clock(), asyncio.Event()

    async def work() -> int:
        try:
            await ended.wait()
        except asyncio.CancelledError:
            ended.set()
            raise
        return 3

    late = asyncio.create_task(clock.within(DAY, work()))
    await _asleep()
    clock.advance(DAY)
    with pytest.raises(LateError):
        await late
    assert ended.is_set()
    assert await clock.within(math.inf, work()) == 3


async def test_a_change_or_the_clock_ends_a_sleep() -> None:
    clock, changed = Clock(), asyncio.Event()
    sleeps = [asyncio.create_task(clock.sleep_until(each, DAY)) for each in (changed, asyncio.Event())]
    await _asleep()
    changed.set()
    await sleeps[0]
    assert not sleeps[1].done()
    clock.advance(DAY)
    await sleeps[1]
