"""Programs that are run to their end, line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

_GRACE_SECONDS = 5.0
_LONGEST_LINE = 1 << 20


async def run(
    command: Sequence[str | Path],
    *,
    line: Callable[[str], None],
    environment: Mapping[str, str],
    cwd: Path | None = None,
    finish: bool = False,
) -> int:
    """Run a program, tell each line of its output, errors included, and return its exit code.

    When the caller is cancelled, the program ends with everything it started; one with `finish` is waited for instead.
    Raises OSError when it does not start.
    """
    # Tasks of their own: one that is cancelled while it starts a process would leave what that has started already.
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *[str(part) for part in command],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            limit=_LONGEST_LINE,
            # A group of its own, which can be ended as a whole; Ctrl-C comes to us alone.
            start_new_session=True,
        )
    )
    ending = asyncio.create_task(_follow(starting, line))
    try:
        return await asyncio.shield(ending)
    except asyncio.CancelledError:
        process = await starting
        for number in () if finish else (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            if (await asyncio.wait({ending}, timeout=_GRACE_SECONDS))[0]:
                break
        await ending
        raise


async def _follow(starting: asyncio.Task[asyncio.subprocess.Process], line: Callable[[str], None]) -> int:
    process = await starting
    async for raw in cast("asyncio.StreamReader", process.stdout):
        line(raw.decode("utf-8", "replace").rstrip())
    return await process.wait()
