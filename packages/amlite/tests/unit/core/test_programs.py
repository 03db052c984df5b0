from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import psutil
import pytest

from amlite.core.programs import run


async def test_every_line_is_told_and_the_code_returned(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "pwd; echo two >&2; echo $NAME; exit 3"
    code = await run(["sh", "-c", script], line=lines.append, environment={**os.environ, "NAME": "x"}, cwd=tmp_path)
    assert (lines, code) == ([str(tmp_path), "two", "x"], 3)


async def test_a_cancelled_caller_ends_it_with_all_it_started() -> None:
    lines, begun = list[str](), asyncio.Event()

    def line(text: str) -> None:
        lines.append(text)
        begun.set()

    # The inner one would keep the pipe open for ever if only its parent were ended.
    script = "sh -c 'echo $$; sleep 600'; true"
    running = asyncio.create_task(run(["sh", "-c", script], line=line, environment=os.environ))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # It may still wait for the init process to take note of its end.
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(int(lines[0])).status() == psutil.STATUS_ZOMBIE


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
