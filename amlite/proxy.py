"""The CONNECT proxy that makes production host names answer on loopback and tunnels everything else unchanged."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fnmatch
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

Address = tuple[str, int]

_MAX_LINE = 65536


class Proxy:
    """Accepts `CONNECT host:port`; asks `route` whether the host is ours, else dials it (or the inherited proxy)."""

    def __init__(self, route: Callable[[str], Address | None], upstream: str | None, bypass: str | None) -> None:
        """Take the routing function, an inherited proxy's URL to chain to, and an inherited `NO_PROXY` list."""
        self._route = route
        self._upstream = urlsplit(upstream) if upstream else None
        self._bypass = [entry.strip().lstrip(".").lower() for entry in (bypass or "").split(",") if entry.strip()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one client connection from its first line to its end."""
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # a client that hangs up or speaks something else needs no answer
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, *_ = head.split(" ", 2)
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 405 amlite's proxy only does CONNECT\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        host, _, port = target.rpartition(":")
        host = host.strip("[]").lower()
        try:
            upstream = await self._dial(host, int(port))
        except OSError as error:
            reason = str(error).encode("ascii", "replace").replace(b"\n", b" ")
            writer.write(b"HTTP/1.1 502 " + reason + b"\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if (ours := self._route(host)) is not None:
            return await asyncio.open_connection(*ours)
        if self._upstream is None or self._bypassed(host):
            return await asyncio.open_connection(host, port)
        reader, writer = await asyncio.open_connection(self._upstream.hostname, self._upstream.port or 80)
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if self._upstream.username:
            login = f"{unquote(self._upstream.username)}:{unquote(self._upstream.password or '')}"
            lines.append("Proxy-Authorization: Basic " + base64.b64encode(login.encode()).decode())
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n", 1)[0]
        if " 200" not in answer:
            writer.close()
            raise OSError(f"the inherited proxy answered: {answer}")
        return reader, writer

    def _bypassed(self, host: str) -> bool:
        return any(
            entry == "*" or host == entry or host.endswith("." + entry) or fnmatch.fnmatch(host, entry)
            for entry in self._bypass
        )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_MAX_LINE):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
