from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from amlite.core.programs import run


async def test_every_line_is_told_and_the_code_returned(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "pwd; echo two >&2; echo $NAME; exit 3"
    code = await run(["sh", "-c", script], line=lines.append, environment={**os.environ, "NAME": "x"}, cwd=tmp_path)
    assert (lines, code) == ([str(tmp_path), "two", "x"], 3)


async def test_a_cancelled_caller_ends_it_with_all_it_started() -> None:
    begun = asyncio.Event()
    # The inner one would keep the pipe open for ever if only its parent were ended.
    script = "sh -c 'echo begun; sleep 600'; true"
    running = asyncio.create_task(run(["sh", "-c", script], line=lambda _: begun.set(), environment=os.environ))
    await begun.wait()
    running.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_one_that_has_to_finish_is_waited_for(tmp_path: Path) -> None:
    gate, done, begun = tmp_path / "gate", tmp_path / "done", asyncio.Event()
    script = f"echo begun; until [ -e {gate} ]; do sleep 0.01; done; touch {done}"
    running = asyncio.create_task(
        run(["sh", "-c", script], line=lambda _: begun.set(), environment=os.environ, finish=True)
    )
    await begun.wait()
    running.cancel()
    gate.touch()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert done.exists()


@pytest.mark.attack
async def test_a_line_without_end_is_told_in_parts() -> None:
    lines: list[str] = []
    script = "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last"
    assert await run(["sh", "-c", script], line=lines.append, environment=os.environ) == 0
    assert (sum(map(len, lines[:-1])), lines[-1]) == (5_000_000, "last")
    assert max(map(len, lines)) < 2_000_000


async def test_a_program_ends_if_a_line_cannot_be_told() -> None:
    def fail(_line: str) -> None:
        raise OSError("the disk is full")

    async with asyncio.timeout(60):
        with pytest.raises(OSError, match="disk"):
            await run(["sh", "-c", "echo one; exec sleep 600"], line=fail, environment=os.environ)
