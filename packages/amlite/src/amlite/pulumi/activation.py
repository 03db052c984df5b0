"""Provider processes started when the engine first connects to them.

`PULUMI_DEBUG_PROVIDERS` must name ports before it is known whether a command needs them. amlite listens on these ports
and starts the provider at the first connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass, field

from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child

PROVIDERS = {
    "azure-native": "amlite.pulumi.azure_native",
    "docker": "amlite.pulumi.docker",
    "kubernetes": "amlite.pulumi.kubernetes",
}
_CHUNK = 1 << 16


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
    return await platform.children.ensure(
        f"provider-{name}",
        lambda port: [sys.executable, "-m", PROVIDERS[name], "--port", str(port)],
        environment={**os.environ, **platform.environment},
    )


async def _serve(platform: Platform, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        child = await _start(platform, name)
        there = await asyncio.open_connection("127.0.0.1", child.port)
    except (StartError, OSError):
        writer.close()
        raise
    await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
