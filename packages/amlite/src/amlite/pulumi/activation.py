"""Provider processes started when the engine first connects to them.

`PULUMI_DEBUG_PROVIDERS` must name ports before it is known whether a command needs them. amlite listens on these ports
and starts the provider at the first connection. The engine can connect to a port only, and sends no secret: amlite
accepts connections from processes of its own user, outside containers. The provider itself listens on a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from dataclasses import dataclass, field

from amlite.core import peers
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child

PROVIDERS = {
    "azure-native": "amlite.pulumi.azure_native",
    "docker": "amlite.pulumi.docker",
    "kubernetes": "amlite.pulumi.kubernetes",
}
_CHUNK = 1 << 16
_log = logging.getLogger("amlite.pulumi.activation")


@dataclass
class _Listening:
    """The servers that accept the engine's connections."""

    servers: list[asyncio.Server] = field(default_factory=list)


async def listen(platform: Platform) -> None:
    """Listen on one loopback port per provider, if possible the same as last time, and tell commands the ports."""
    pairs = []
    for name in PROVIDERS:
        key = f"settings/provider-port/{name}"
        previous = platform.store.get(key)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str = name) -> None:
            await _serve(platform, name, reader, writer)

        try:
            server = await asyncio.start_server(serve, "127.0.0.1", previous.body["port"] if previous else 0)
        except OSError:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        platform.store.put(key, "settings", {"port": port})
        platform.part(_Listening).servers.append(server)
        pairs.append(f"{name}:{port}")
    platform.environment["PULUMI_DEBUG_PROVIDERS"] = ",".join(pairs)


async def _start(platform: Platform, name: str) -> Child:
    return await platform.children.ensure_at_socket(
        f"provider-{name}",
        lambda socket: [sys.executable, "-P", "-m", PROVIDERS[name], "--socket", socket],
        environment={**os.environ, **platform.environment},
    )


async def _serve(platform: Platform, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer, here = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
    if not await asyncio.to_thread(peers.is_own_process, peer, here):
        _log.warning("refused a connection to provider %s, which is not of a process of this user", name)
        writer.close()
        return
    try:
        there = await _connect(await _start(platform, name), peer[1])
    except (StartError, OSError):
        writer.close()
        raise
    await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))


async def _connect(child: Child, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a provider from a path of its own, by which the provider tells its clients apart."""
    assert child.socket is not None  # noqa: S101
    mine = child.socket.with_name(f"client-{number}")
    mine.unlink(missing_ok=True)
    near = socket.socket(socket.AF_UNIX)
    try:
        near.setblocking(False)
        near.bind(str(mine))
        await asyncio.get_running_loop().sock_connect(near, str(child.socket))
        return await asyncio.open_unix_connection(sock=near)
    except OSError:
        near.close()
        raise
    finally:
        mine.unlink(missing_ok=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
