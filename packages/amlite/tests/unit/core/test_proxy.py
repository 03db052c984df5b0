from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from amlite.core import proxy as module
from amlite.core.proxy import Handover, Proxy

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


SECRET = "s3cret"
LOGIN = b"Proxy-Authorization: Basic YW1saXRlOnMzY3JldA==\r\n"  # amlite:s3cret


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the proxy connect to loopback, where the tests' servers are."""
    monkeypatch.setattr(module, "is_this_machine", lambda _: False)


def _proxy(route: Callable[[str], Handover | None], upstream: str | None = None, bypass: str | None = None) -> Proxy:
    return Proxy(route, upstream, bypass, secret=SECRET)


async def _send(port: int, head: bytes, payload: bytes = b"", login: bytes = LOGIN) -> tuple[str, bytes]:
    """Send a request line with headers and a payload; return the status line and what came through the tunnel."""
    head = head[:-2] + login + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    status = (await reader.readline()).decode().strip()
    while await reader.readline() not in (b"\r\n", b""):
        pass
    if " 200 " in status:
        writer.write(payload)
        writer.write_eof()
    got = await reader.read()
    writer.close()
    return status, got


async def _take(client: socket.socket) -> None:
    """Serve a client as amlite."""
    reader, writer = await asyncio.open_connection(sock=client)
    await _echo(b"amlite")(reader, writer)


def _ours(host: str) -> Handover | None:
    return _take if host == "management.azure.com" else None


async def test_host_of_ours_is_answered_on_loopback() -> None:
    async with _listening(_proxy(_ours).serve) as port:
        head = b"CONNECT Management.Azure.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"
        assert await _send(port, head, b"hello") == ("HTTP/1.1 200 Connection established", b"amlite:hello")
        dotted = head.replace(b".com:", b".com.:")  # a full name, which means the same host
        assert await _send(port, dotted, b"hello") == ("HTTP/1.1 200 Connection established", b"amlite:hello")


async def test_what_arrives_before_the_answer_to_connect_is_refused() -> None:
    """The proxy has read it, so that it would be missing in the tunnel."""
    async with _listening(_proxy(_ours).serve) as port:
        head = b"CONNECT management.azure.com:443 HTTP/1.1\r\n" + LOGIN + b"\r\nearly"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_a_client_of_ours_is_acknowledged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends head and body separately waits 40 ms otherwise, because it does not turn Nagle off."""
    monkeypatch.setattr(module, "_QUICK_ACK", socket.TCP_NODELAY)
    here, there = socket.socketpair()
    with here, module._PromptSocket(fileno=there.detach()) as prompt:
        here.send(b"hello")
        options: list[object] = []
        monkeypatch.setattr(module._PromptSocket, "setsockopt", lambda _, *given: options.append(given))
        assert prompt.recv_into(bytearray(9)) == 5
        assert options == [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


@pytest.mark.usefixtures("reachable")
async def test_any_other_host_is_tunnelled_to() -> None:
    async with _listening(_echo(b"elsewhere")) as there, _listening(_proxy(_ours).serve) as port:
        _, got = await _send(port, f"CONNECT 127.0.0.1:{there} HTTP/1.1\r\n\r\n".encode(), b"hello")
        assert got == b"elsewhere:hello"


@pytest.mark.usefixtures("reachable")
async def test_host_that_does_not_answer_is_a_502() -> None:
    async with _listening(_echo(b"")) as closed:
        pass
    async with _listening(_proxy(_ours).serve) as port:
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
        proxy = _proxy(_ours, f"{prefix}127.0.0.1:{far}")
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

    async with _listening(upstream) as far, _listening(_proxy(_ours, f"http://127.0.0.1:{far}").serve) as port:
        status, _ = await _send(port, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")
    assert status == "HTTP/1.1 502 the inherited proxy answered: HTTP/1.1 407 Sign in"


async def test_an_inherited_proxy_that_is_gone_is_a_clear_error() -> None:
    """As that of an amlite in whose `run` this one was started."""
    async with _listening(_proxy(_ours, "http://127.0.0.1:1").serve) as port:
        status, _ = await _send(port, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")
    assert status.startswith("HTTP/1.1 502 the inherited proxy 127.0.0.1:1 does not answer")
    assert "stop amlite and start it without it" in status


async def test_inherited_proxy_of_another_kind_is_a_clear_error() -> None:
    async with _listening(_proxy(_ours, "socks5://127.0.0.1:1").serve) as port:
        status, _ = await _send(port, b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n")
    assert "speaks socks5" in status


@pytest.mark.parametrize(
    "login", [b"", b"Proxy-Authorization: Basic YW1saXRlOmd1ZXNz\r\n", b"Proxy-Authorization: \xff\r\n"]
)
async def test_client_without_the_secret_gets_neither_our_hosts_nor_the_inherited_proxy(login: bytes) -> None:
    asked = []

    async def upstream(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.close()

    async with (
        _listening(upstream) as far,
        _listening(_proxy(_ours, f"http://user:word@127.0.0.1:{far}").serve) as port,
    ):
        for host in (b"management.azure.com", b"pypi.example"):
            status, got = await _send(port, b"CONNECT " + host + b":443 HTTP/1.1\r\n\r\n", b"hello", login)
            assert status.startswith("HTTP/1.1 407 "), host
            assert got == b""
    assert not asked


@pytest.mark.parametrize("inherited", [None, "http://127.0.0.1:1"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.8.8.8", "127.1", "0x7f.1", "2130706433", "localhost", "LOCALHOST.", "x.localhost", "[::1]",
        "0.0.0.0", "0", "[::]", "[::ffff:127.0.0.1]", "169.254.169.254",
    ],
)  # fmt: skip
async def test_nothing_on_this_machine_is_reached(host: str, inherited: str | None) -> None:
    reached = []

    async def private(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)
        writer.close()

    async with _listening(private) as there, _listening(_proxy(_ours, inherited).serve) as port:
        status, _ = await _send(port, f"CONNECT {host}:{there} HTTP/1.1\r\n\r\n".encode())
    assert status.startswith("HTTP/1.1 403 ")
    assert not reached


async def test_name_that_resolves_to_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(module.RefusedError):
        await module._connect("rebound.example", 80)


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
    ],
)
def test_no_proxy_entries(bypass: str, host: str, expected: bool) -> None:
    assert _proxy(_ours, "http://p:1", bypass)._bypassed(host, 443) is expected


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
        b"hello\r\n\r\n",
        b"CONNECT x:port HTTP/1.1\r\n" + LOGIN + b"\r\n",
        b"",
    ],
)
async def test_garbage_ends_the_connection_and_nothing_else(garbage: bytes) -> None:
    async with _listening(_proxy(_ours).serve) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert (await _send(port, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n"))[1] == b"amlite:"


def _get(port: int, path: str = "/debian/InRelease") -> bytes:
    return f"GET http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: mirror\r\nConnection: keep-alive\r\n\r\n".encode()


def _receiver(received: asyncio.Queue[bytes]) -> Handler:
    """Answer one request, and keep all that arrived until the end of the stream."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.write_eof()
        request += await reader.read()
        writer.close()
        await received.put(request)

    return answer


@pytest.mark.usefixtures("reachable")
async def test_plain_http_is_passed_on_without_the_password_and_one_request_at_a_time() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()
    async with _listening(_receiver(received)) as there, _listening(_proxy(_ours).serve) as port:
        # apt sends the next request, with the password, before it has the answer.
        status, got = await _send(port, _get(there), payload=_get(there, "/second") + LOGIN)
        assert (status, got) == ("HTTP/1.1 200 OK", b"hello")
        request = await received.get()
    assert request == b"GET /debian/InRelease HTTP/1.1\r\nhost: mirror\r\nconnection: close\r\n\r\n"
    assert received.empty()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET http://management.azure.com/ HTTP/1.1\r\n\r\n", "403"),
        (b"GET http://127.0.0.1:9/ HTTP/1.1\r\n\r\n", "403"),
        (b"GET http://169.254.169.254/metadata HTTP/1.1\r\n\r\n", "403"),
        (b"POST http://example.com/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
        (b"GET / HTTP/1.1\r\n\r\n", "405"),
    ],
)
async def test_plain_http_reaches_neither_azure_nor_this_machine(head: bytes, status: str) -> None:
    async with _listening(_proxy(_ours).serve) as port:
        assert (await _send(port, head))[0].split(" ")[1] == status


async def test_plain_http_needs_the_password_too() -> None:
    async with _listening(_proxy(_ours).serve) as port:
        assert (await _send(port, _get(9), login=b""))[0].split(" ")[1] == "407"


@pytest.mark.attack
def test_the_addresses_of_the_machines_interfaces_are_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Address:
        family, address = socket.AF_INET, "172.17.0.1"

    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"docker0": [Address]})
    assert module.is_this_machine("172.17.0.1")
    assert module.is_this_machine("::ffff:172.17.0.1")
    assert not module.is_this_machine("172.17.0.2")


@pytest.mark.attack
@pytest.mark.parametrize(
    "address",
    ["168.63.129.16", "::ffff:168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192",
     "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_where_a_cloud_gives_a_machine_its_identity_is_this_machine(address: str) -> None:
    """On a runner in a cloud, a job gets there what the machine may do, and the settings of its extensions."""
    assert module.is_this_machine(address)


@pytest.mark.parametrize("address", ["168.63.129.17", "100.100.100.201", "64:ff9b::808:808", "2001:db8::1"])
def test_other_machines_are_none_of_them(address: str) -> None:
    assert not module.is_this_machine(address)
