"""Bodies that attack: too large, too deep, never complete, and what Python's readers take and Azure's do not."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from amlite.core import bodies
from amlite.core.errors import AzureError
from amlite.core.routing import refusal

pytestmark = pytest.mark.attack
_HEAD = "POST / HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """A server that answers with the length of the body, read with the limit of a form."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return web.Response(text=str(len(await bodies.read(request, bodies.FORM_BYTES))))
        except AzureError as error:
            return refusal(error)

    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as served:
        yield served


async def sent(server: TestServer, *parts: bytes, repeat: int = 1) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(parts[0])
        for _ in range(repeat):
            for part in parts[1:]:
                writer.write(part)
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


async def test_a_body_that_says_it_is_huge_is_refused_before_it_arrives(server: TestServer) -> None:
    assert "413" in await sent(server, f"{_HEAD}Content-Length: {600 << 20}\r\n\r\n".encode())


async def test_a_huge_body_without_a_length_is_not_held_in_memory(server: TestServer) -> None:
    piece = b"80000\r\n" + b"x" * (512 << 10) + b"\r\n"
    tracemalloc.start()
    try:
        assert "413" in await sent(server, f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode(), piece, repeat=8)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", [b"", b"10", b"10\r\n", b"10\r\nhalf"])
async def test_a_client_that_stops_inside_a_body_gets_an_answer(
    server: TestServer, monkeypatch: pytest.MonkeyPatch, part: bytes
) -> None:
    monkeypatch.setattr(bodies, "SILENT_SECONDS", 0.05)
    head = f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
    assert "408" in await asyncio.wait_for(sent(server, head + part), 20)


async def test_broken_chunks_are_the_clients_fault(server: TestServer) -> None:
    assert "400" in await sent(server, f"{_HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": %s}' % (b"9" * 30),
        b'{"a": %s}' % (b"9" * 5000),
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\u0000"}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 1_000_000,
        b'{"a": ' * 1_000_000,
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_azures_readers_refuse_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each with words of its own
        bodies.parse_object(raw)


def test_ordinary_bodies_are_taken() -> None:
    assert bodies.parse_object(b"") == {}
    assert bodies.parse_object('{"a": ["é", 1, 1.5, null, "\U0001f680"]}'.encode()) == {
        "a": ["é", 1, 1.5, None, "\U0001f680"]
    }
    assert bodies.parse_object(b'\xef\xbb\xbf{"a": "\\ud83d\\ude80"}') == {"a": "\U0001f680"}
    assert bodies.parse_object(b'{"a":' * 64 + b"1" + b"}" * 64)
    assert bodies.parse_yaml_object(b"a: [1, b]\n") == {"a": [1, "b"]}


@pytest.mark.parametrize("raw", [b"a: &x [1]\nb: *x", b"a: 2026-01-01", b"- 1", b"a: [", b"[" * 5000, b"a: .nan"])
def test_yaml_that_json_could_not_hold_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each with words of its own
        bodies.parse_yaml_object(raw)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "aliases"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested"),
        ("a:\n" + "- b: c\n" * 100_000, "larger than the limit"),
        ("a: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system [id]", "not valid YAML"),
    ],
)
def test_yaml_of_others_takes_neither_long_nor_much_memory(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        bodies.read_yaml(text)


@pytest.mark.attack
@pytest.mark.parametrize("number", [f"1{':1' * 100_000}", f"1{':1' * 100_000}.5", f"0x{'f' * 200_000}"])
def test_a_number_of_yaml_takes_no_seconds(number: str) -> None:
    """Numbers of base 60 take the square of their length."""
    with pytest.raises(ValueError, match="more than 1000 characters"):
        bodies.read_yaml(f"value: {number}")
