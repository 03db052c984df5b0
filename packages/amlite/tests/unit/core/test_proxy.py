from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from amlite.core.proxy import Address, Proxy

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


def _echo(name: bytes) -> Handler:
    """Answer each connection with a name and whatever it sent, and close."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = await reader.read()
        writer.write(name + b":" + sent)
        await writer.drain()
        writer.close()

    return answer


async def _send(port: int, head: bytes, payload: bytes = b"") -> tuple[str, bytes]:
    """Send a request line with headers and a payload; return the status line and what came through the tunnel."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    status = (await reader.readline()).decode().strip()
    while await reader.readline() not in (b"\r\n", b""):
        pass
    writer.write(payload)
    writer.write_eof()
    got = await reader.read()
    writer.close()
    return status, got


def _ours(port: int) -> Callable[[str], Address | None]:
    return lambda host: ("127.0.0.1", port) if host == "management.azure.com" else None


async def test_host_of_ours_is_answered_on_loopback() -> None:
    async with _listening(_echo(b"amlite")) as here, _listening(Proxy(_ours(here), None, None).serve) as port:
        head = b"CONNECT Management.Azure.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"
        assert await _send(port, head, b"hello") == ("HTTP/1.1 200 Connection established", b"amlite:hello")


async def test_any_other_host_is_tunnelled_to() -> None:
    async with _listening(_echo(b"elsewhere")) as there, _listening(Proxy(_ours(1), None, None).serve) as port:
        _, got = await _send(port, f"CONNECT localhost:{there} HTTP/1.1\r\n\r\n".encode(), b"hello")
        assert got == b"elsewhere:hello"


async def test_host_that_does_not_answer_is_a_502() -> None:
    async with _listening(_echo(b"")) as closed:
        pass
    async with _listening(Proxy(_ours(1), None, None).serve) as port:
        status, _ = await _send(port, f"CONNECT 127.0.0.1:{closed} HTTP/1.1\r\n\r\n".encode())
        assert status.startswith("HTTP/1.1 502 ")


@pytest.mark.parametrize("prefix", ["http://user:p%40ss@", "user:p%40ss@"])
async def test_inherited_proxy_is_chained_to_with_its_login(prefix: str) -> None:
    heads = []

    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nVia: upstream\r\n\r\n")
        await _echo(b"through")(reader, writer)

    async with _listening(upstream) as far:
        proxy = Proxy(_ours(1), f"{prefix}127.0.0.1:{far}", None)
        async with _listening(proxy.serve) as port:
            _, got = await _send(port, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n", b"hello")
    assert got == b"through:hello"
    assert heads[0].startswith("CONNECT pypi.example:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwQHNz" in heads[0]  # user:p@ss


async def test_refusal_of_the_inherited_proxy_is_passed_on() -> None:
    async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Sign in\r\n\r\n")
        writer.close()

    async with _listening(upstream) as far, _listening(Proxy(_ours(1), f"http://127.0.0.1:{far}", None).serve) as port:
        status, _ = await _send(port, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")
    assert status == "HTTP/1.1 502 the inherited proxy answered: HTTP/1.1 407 Sign in"


async def test_inherited_proxy_of_another_kind_is_a_clear_error() -> None:
    async with _listening(Proxy(_ours(1), "socks5://127.0.0.1:1", None).serve) as port:
        status, _ = await _send(port, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")
    assert "speaks socks5" in status


async def test_loopback_is_never_asked_of_the_inherited_proxy() -> None:
    proxy = Proxy(_ours(1), "http://127.0.0.1:1", None)
    async with _listening(_echo(b"direct")) as there, _listening(proxy.serve) as port:
        _, got = await _send(port, f"CONNECT 127.0.0.1:{there} HTTP/1.1\r\n\r\n".encode())
    assert got == b"direct:"


@pytest.mark.parametrize(
    ("bypass", "host", "expected"),
    [
        ("corp.example", "corp.example", True),
        ("corp.example", "a.corp.example", True),
        (".corp.example", "a.corp.example", True),
        ("*.corp.example", "a.corp.example", True),
        ("CORP.example:443", "corp.example", True),
        ("corp.example:8443", "corp.example", False),
        ("corp.example", "notcorp.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "corp.example", False),
        ("x/y", "10.1.2.3", False),
        (" a.example , b.example", "b.example", True),
        ("*", "corp.example", True),
        ("", "corp.example", False),
        ("", "::1", True),
    ],
)
def test_no_proxy_entries(bypass: str, host: str, expected: bool) -> None:
    assert Proxy(_ours(1), "http://p:1", bypass)._bypassed(host, 443) is expected


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
        b"hello\r\n\r\n",
        b"CONNECT x:port HTTP/1.1\r\n\r\n",
        b"",
    ],
)
async def test_garbage_ends_the_connection_and_nothing_else(garbage: bytes) -> None:
    async with _listening(_echo(b"amlite")) as here, _listening(Proxy(_ours(here), None, None).serve) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert (await _send(port, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n"))[1] == b"amlite:"


async def test_other_methods_are_refused() -> None:
    async with _listening(Proxy(_ours(1), None, None).serve) as port:
        status, _ = await _send(port, b"GET http://management.azure.com/ HTTP/1.1\r\n\r\n")
    assert status.startswith("HTTP/1.1 405 ")
