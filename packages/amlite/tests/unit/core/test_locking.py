from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from amlite.core.locking import locked

HOLDER = """
import asyncio, pathlib, sys, time
from amlite.core.locking import locked
async def hold():
    async with locked(pathlib.Path(sys.argv[1]), lambda: None):
        print("held", flush=True)
        time.sleep(600)
asyncio.run(hold())
"""


async def test_the_second_waits_and_says_so_once(tmp_path: Path) -> None:
    lock, order, said = tmp_path / "folder" / "lock", list[str](), asyncio.Event()

    async def second() -> None:
        async with locked(lock, said.set):
            order.append("second")

    async with locked(lock, lambda: None):
        waiting = asyncio.create_task(second())
        await said.wait()
        order.append("first")
    await waiting
    assert order == ["first", "second"]


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    lock, said = tmp_path / "lock", list[str]()
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()

    async def take() -> None:
        async with locked(lock, lambda: said.append("waiting")):
            assert said == []

    asyncio.run(take())
