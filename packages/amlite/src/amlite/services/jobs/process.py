"""Run a job's command as a child process. Its log goes to the datastore, and its descendants end with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from amlite.core import contained
from amlite.core import processes as children
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.environments import Prepared
from amlite.services.storage import blobs
from amlite.services.storage.blobs import BlobPath

# The interval at which a running job's output is uploaded to the datastore; its end does not wait for this.
_LOG_SECONDS = 1.0
_PIECE = 4 << 20
_MOST_LOG = 256 << 20


class LogCopy:
    """A growing file on this machine and its copy in the datastore, an append blob."""

    def __init__(self, platform: Platform, source: Path, target: BlobPath, within: Path) -> None:
        self._platform = platform
        self._source = source
        self._target = target
        self._within = within
        self._position = 0

    async def push(self) -> None:
        """Append the output written since the last call, as much as a log may have.

        A job can make its log as long as a disk, in one call and without a byte on it.
        """
        while self._source.exists() and self._position < (length := min(self._source.stat().st_size, _MOST_LOG)):
            try:
                with contained.opened(self._source, self._within) as file:
                    file.seek(self._position)
                    data = await asyncio.to_thread(file.read, min(_PIECE, length - self._position))
            except AzureError:
                return  # the job put a link in its place, and nothing is read from there
            if not data:
                return
            await blobs.append(self._platform, self._target, data)
            self._position += len(data)
            if self._position == _MOST_LOG:
                told = f"\nThe log is longer than {_MOST_LOG >> 20} MB. The rest of it is not copied."
                await blobs.append(self._platform, self._target, told.encode())


async def run(
    platform: Platform,
    prepared: Prepared,
    name: str,
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    folder: Path,
    inputs: Sequence[Path],
    log: Path,
    copies: Sequence[LogCopy],
    shared_memory: str,
    limit: float | None,
) -> int:
    """Run a command to its end and return its exit code; raises TimeoutError after `limit` seconds.

    After the exit, a timeout or a cancellation, no process of the command continues to run.
    """
    line, whole = prepared.command(
        argv,
        cwd=cwd,
        environment=environment,
        folders=[folder],
        inputs=inputs,
        ports=[],
        name=name,
        shared_memory=shared_memory,
    )
    child = await platform.children.spawn(f"job {name}", line, environment=whole, cwd=cwd, log=log)
    ended = asyncio.create_task(child.process.wait())
    try:
        async with asyncio.timeout(limit):
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOG_SECONDS)
                if not ended.done():
                    await _push(copies)
        return ended.result()
    finally:
        if not ended.done():
            await prepared.stop(name)
            await children.end(child)
        # Background processes of the command share its process group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        await ended
        await _push(copies)


async def _push(copies: Sequence[LogCopy]) -> None:
    for copy in copies:
        await copy.push()
