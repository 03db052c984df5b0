"""The CONNECT proxy that makes production host names answer on loopback and tunnels everything else unchanged."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fnmatch
import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

Address = tuple[str, int]

_MAX_LINE = 65536
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Proxy:
    """Accepts `CONNECT host:port`. If `route` does not serve the host, connects to it or to the inherited proxy."""

    def __init__(self, route: Callable[[str], Address | None], upstream: str | None, bypass: str | None) -> None:
        """Take the routing function, the URL of an inherited proxy, and an inherited `NO_PROXY` list.

        As in curl, the proxy can be without `http://`. `NO_PROXY` can contain names (which include subdomains),
        patterns, addresses and networks, each with or without a port.
        """
        self._route = route
        self._upstream = urlsplit(upstream if "://" in upstream else f"http://{upstream}") if upstream else None
        self._bypass = [entry.strip().lower() for entry in (bypass or "").split(",") if entry.strip()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one client connection."""
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # a client that disconnects, or that does not use HTTP, gets no response
        except asyncio.CancelledError:
            pass  # amlite stops: the stream's own callback would log the cancellation as an error
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
            there = await self._dial(host, int(port))
        except (OSError, asyncio.IncompleteReadError) as error:
            reason = str(error).encode("ascii", "replace").replace(b"\n", b" ")
            writer.write(b"HTTP/1.1 502 " + reason + b"\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await asyncio.gather(_pump(reader, there[1], writer), _pump(there[0], writer))
        finally:
            there[1].close()

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if (ours := self._route(host)) is not None:
            return await asyncio.open_connection(*ours)
        if self._upstream is None or self._bypassed(host, port):
            return await asyncio.open_connection(host, port)
        if self._upstream.scheme not in ("http", "https"):
            raise OSError(
                f"the inherited proxy speaks {self._upstream.scheme}; amlite can chain to http and https only"
            )
        secure = self._upstream.scheme == "https"
        reader, writer = await asyncio.open_connection(
            self._upstream.hostname, self._upstream.port or (443 if secure else 80), ssl=secure or None
        )
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if self._upstream.username:
            login = f"{unquote(self._upstream.username)}:{unquote(self._upstream.password or '')}"
            lines.append("Proxy-Authorization: Basic " + base64.b64encode(login.encode()).decode())
        try:
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            await writer.drain()
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n", 1)[0]
            if answer.split(" ")[1:2] != ["200"]:
                raise OSError(f"the inherited proxy answered: {answer}")
        except BaseException:
            writer.close()
            raise
        return reader, writer

    def _bypassed(self, host: str, port: int) -> bool:
        address = _address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return True  # a loopback address means this machine
        return any(_covers(entry.removesuffix(f":{port}"), host, address) for entry in self._bypass)


_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _covers(entry: str, host: str, address: _IpAddress | None) -> bool:
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.lstrip(".")
    return entry == "*" or host == name or host.endswith(f".{name}") or fnmatch.fnmatch(host, entry)


def _address(host: str) -> _IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter | None = None
) -> None:
    """Copy until the end of the stream. `client` is the writer of `reader` if it belongs to a client.

    urllib3 does not turn Nagle's algorithm off behind a proxy. A client that sends head and body separately waits for
    an acknowledgement, which the kernel delays by 40 ms unless this is turned off each time (Linux only).
    """
    with contextlib.suppress(OSError):
        while data := await reader.read(_MAX_LINE):
            if client is not None and _QUICK_ACK is not None:
                client.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
