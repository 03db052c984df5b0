"""Programs that run until they end."""

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
_PIECE = 1 << 16


async def run(
    command: Sequence[str | Path],
    *,
    line: Callable[[str], None],
    environment: Mapping[str, str],
    cwd: Path | None = None,
    finish: bool = False,
) -> int:
    """Run a program, report each line of its output and errors, and return its exit code.

    A line without an end is reported in parts. If `line` raises an exception, or the caller is cancelled, the program
    and its descendants end. With `finish`, the cancellation waits for it.

    Raises OSError if the program does not start.
    """
    # Separate tasks: if a task is cancelled while it starts a process, it would leave the process behind.
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *[str(part) for part in command],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=cwd,
            limit=_PIECE,
            # A separate group, which can be ended as a whole and does not get Ctrl-C.
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
    output, rest = cast("asyncio.StreamReader", process.stdout), b""
    try:
        while piece := await output.read(_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for raw in lines:
                line(raw.decode("utf-8", "replace").rstrip())
        if rest:
            line(rest.decode("utf-8", "replace").rstrip())
    except Exception:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        while await output.read(_PIECE):
            pass
        await process.wait()
        raise
    return await process.wait()
