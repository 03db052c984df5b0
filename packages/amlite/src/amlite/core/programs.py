"""Programs that are run to their end, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from amlite.core.processes import end_tree

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
    process = await asyncio.create_subprocess_exec(
        *[str(part) for part in command],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        cwd=cwd,
        limit=_LONGEST_LINE,
        # Ctrl-C comes to us alone.
        start_new_session=True,
    )
    ending = asyncio.create_task(_follow(process, line))
    try:
        return await asyncio.shield(ending)
    except asyncio.CancelledError:
        if not finish:
            await asyncio.to_thread(end_tree, process.pid)
        await ending
        raise


async def _follow(process: asyncio.subprocess.Process, line: Callable[[str], None]) -> int:
    async for raw in cast("asyncio.StreamReader", process.stdout):
        line(raw.decode("utf-8", "replace").rstrip())
    return await process.wait()
