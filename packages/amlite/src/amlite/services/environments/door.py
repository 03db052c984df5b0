"""The door of the private Docker daemon: a socket for commands of `amlite run`, which works before the daemon runs.

`amlite run` sets DOCKER_HOST to it. The first connection starts the daemon, as systemd's socket activation does.
"""

from __future__ import annotations

import asyncio
import contextlib

from amlite.core import private_folder
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.services.environments import engine
from amlite.tools import docker_engine

_PIECE = 1 << 16


async def open_door(platform: Platform) -> None:
    """Listen. A connection ends if this machine cannot have an engine."""
    path = docker_engine.door(private_folder.ensure(platform.state))
    path.unlink(missing_ok=True)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found = await engine.ensure(platform)
            if found.private:
                await _join(reader, writer, found.host.removeprefix("unix://"))
        except (StartError, OSError):
            pass  # the client sees that the connection ends
        finally:
            writer.close()

    await asyncio.start_unix_server(connect, path)


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Copy both directions until both end. A client of Docker may close one and still read the other."""
    far_reader, far_writer = await asyncio.open_unix_connection(path)
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    finally:
        far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
