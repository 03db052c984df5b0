"""The proxy that makes production host names answer on loopback and tunnels everything else unchanged.

amlite takes over the socket of a client that asks for one of its own hosts, so that no byte is copied twice. The proxy
passes on requests of plain HTTP too, for programs that have no other way to a package mirror. It serves clients that
know its secret, and never connects to this machine: what listens on loopback trusts those that can connect to it, and a
client here does not need a proxy for it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fnmatch
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

Handover = Callable[[socket.socket], Awaitable[None]]
"""A function that serves a connected client from now on, and owns its socket."""

USER = "amlite"
"""The name that clients sign in with. The password is the secret."""
_HEAD_SECONDS = 30.0
_SILENT_SECONDS = 30.0
_MAX_LINE = 65536
# Where clouds answer their machines, besides the addresses of the link: Azure, AWS, Google, Alibaba, Oracle.
_CLOUDS = tuple(
    ipaddress.ip_address(each)
    for each in ("168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192")
)
# A network that has addresses of IPv6 only translates these to those of IPv4 in their last bytes.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class RefusedError(OSError):
    """A target that the proxy does not connect to."""


class Proxy:
    """Accepts `CONNECT host:port` and `METHOD http://host/path`.

    If `route` does not serve the host, connects to it or to the inherited proxy.
    """

    def __init__(
        self, route: Callable[[str], Handover | None], upstream: str | None, bypass: str | None, *, secret: str
    ) -> None:
        """Take the routing function, the URL of an inherited proxy, an inherited `NO_PROXY` list, and the secret.

        `route` returns what serves a host of amlite's own, and None for any other host.
        As in curl, the proxy can be without `http://`. `NO_PROXY` can contain names (which include subdomains),
        patterns, addresses and networks, each with or without a port.
        """
        self._route = route
        self._login = "Basic " + base64.b64encode(f"{USER}:{secret}".encode()).decode()
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
        async with asyncio.timeout(_HEAD_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, *_ = head.split(" ", 2)
        tunnels = method == "CONNECT"
        if not tunnels and not target.startswith("http://"):
            await _answer(writer, "405 amlite's proxy takes CONNECT and http:// addresses only")
            return
        if not self._admits(head):
            reason = "407 amlite's proxy needs the user name and password of HTTPS_PROXY (amlite run, amlite env)"
            await _answer(writer, reason, 'Proxy-Authenticate: Basic realm="amlite"')
            return
        url = urlsplit(f"//{target}" if tunnels else target)
        host = (url.hostname or "").rstrip(".").lower()
        if (take := self._route(host)) is not None:
            await (_hand_over(reader, writer, take) if tunnels else _answer(writer, f"403 {host} speaks HTTPS only"))
            return
        if not tunnels and "transfer-encoding" in dict(_headers(head)):
            await _answer(writer, "411 amlite's proxy takes bodies of plain HTTP with a Content-Length only")
            return
        try:
            there = await self._dial(host, url.port or 80)
        except (OSError, asyncio.IncompleteReadError) as error:
            reason = str(error).encode("ascii", "replace").decode().replace("\n", " ")
            await _answer(writer, f"{403 if isinstance(error, RefusedError) else 502} {reason}")
            return
        try:
            if tunnels:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
            else:
                await asyncio.gather(_pass_on(head, reader, there[1]), _pump(there[0], writer))
        finally:
            there[1].close()

    def _admits(self, head: str) -> bool:
        given = dict(_headers(head)).get("proxy-authorization", "")
        return hmac.compare_digest(given.encode(), self._login.encode())

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream is None or self._bypassed(host, port):
            return await _connect(host, port)
        await _addresses(host, port, numeric=True)
        if self._upstream.scheme not in ("http", "https"):
            raise OSError(
                f"the inherited proxy speaks {self._upstream.scheme}; amlite can chain to http and https only"
            )
        secure = self._upstream.scheme == "https"
        port_there = self._upstream.port or (443 if secure else 80)
        try:
            reader, writer = await asyncio.open_connection(self._upstream.hostname, port_there, ssl=secure or None)
        except OSError as error:
            raise OSError(
                f"the inherited proxy {self._upstream.hostname}:{port_there} does not answer ({error}); if you do not "
                "need it any more, stop amlite and start it without it"
            ) from error
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


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to one of the addresses that were checked: another look-up of the name could return others."""
    failure = OSError(f"{host} has no address")
    for address in await _addresses(host, port):
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            failure = error
    raise failure


async def _addresses(host: str, port: int, *, numeric: bool = False) -> list[str]:
    """Return the addresses of a host. Raises RefusedError if one is this machine.

    With `numeric`, only a host that is an address in one of its forms is looked up, such as `127.1`.
    """
    if host == "localhost" or host.endswith(".localhost"):
        raise RefusedError(f"amlite's proxy does not connect to this machine ({host}); connect without a proxy")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST if numeric else 0
        )
    except socket.gaierror:
        if numeric:
            return []
        raise
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    for each in addresses:
        if is_this_machine(each):
            raise RefusedError(f"amlite's proxy does not connect to this machine ({host}); connect without a proxy")
    return addresses


def is_this_machine(address: str) -> bool:
    """Whether an address means this machine, or the place where a cloud's machine gets its identity and its secrets."""
    found = _plain(address)
    if found.is_loopback or found.is_unspecified or found.is_link_local or found in _CLOUDS:
        return True
    # What listens on all interfaces answers at their addresses too, such as that of Docker's bridge.
    inet = (socket.AF_INET, socket.AF_INET6)
    own = (each for every in psutil.net_if_addrs().values() for each in every if each.family in inet)
    return any(found == _plain(each.address) for each in own)


def _plain(address: str) -> _IpAddress:
    """Return an address without its zone. One of IPv4 that is written as IPv6 is one of IPv4."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if found in _TRANSLATED:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def _headers(head: str) -> Iterator[tuple[str, str]]:
    """Yield the headers of a request, their names in lower case."""
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name:
            yield name.strip().lower(), value.strip()


async def _pass_on(head: str, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
    """Send one request of plain HTTP to its server. The server closes the connection after it.

    What the client sends after this request is for the proxy, with its password, and not for this server.
    """
    method, target, version = head.split("\r\n", 1)[0].split(" ", 2)
    path = "/" + target.removeprefix("http://").partition("/")[2]
    own = {"connection", "keep-alive", "proxy-connection", "proxy-authorization"}
    kept = [(name, value) for name, value in _headers(head) if name not in own]
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in kept), "connection: close"]
    there.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    left = int(dict(kept).get("content-length", "0"))
    while left > 0:
        async with asyncio.timeout(_SILENT_SECONDS):
            data = await reader.read(min(left, _MAX_LINE))
        if not data:
            break
        there.write(data)
        await there.drain()
        left -= len(data)
    await there.drain()


async def _answer(writer: asyncio.StreamWriter, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close", "Content-Length: 0"]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    await writer.drain()


class _PromptSocket(socket.socket):
    """A socket that acknowledges at once what it receives.

    urllib3 does not turn Nagle's algorithm off behind a proxy. A client that sends head and body separately waits for
    an acknowledgement, which the kernel delays by 40 ms unless this is turned off each time (Linux only).
    """

    def recv_into(self, *arguments: Any) -> int:
        count = super().recv_into(*arguments)
        if _QUICK_ACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        return count


async def _hand_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Handover) -> None:
    """Accept a tunnel to amlite itself, and leave the connection to `take`."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # what comes now is for `take`
    early = asyncio.create_task(reader.read(1))
    await asyncio.sleep(0)
    if early.done():
        await _answer(writer, "400 amlite's proxy takes nothing before it has answered CONNECT")
        return
    early.cancel()
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await writer.drain()
    own = _PromptSocket(fileno=writer.get_extra_info("socket").dup().detach())
    writer.close()
    await take(own)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end of the stream."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_MAX_LINE):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
