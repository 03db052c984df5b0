"""The Web activity against servers whose answers are unusual."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from amlite.core import outgoing
from amlite.core.platform import Platform
from amlite.services.datafactory import web


@asynccontextmanager
async def serving(*answers: str) -> AsyncIterator[str]:
    """A server at the yielded address that gives these answers in turn."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize("line", ["499 ", "499", "799 Odd"])
async def test_a_status_without_a_known_phrase_is_named_by_its_number(platform: Platform, line: str) -> None:
    answer = f"HTTP/1.1 {line}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    async with serving(answer) as url, aiohttp.ClientSession() as platform.http:
        with pytest.raises(web.ActivityError) as error:
            await web.request(platform, {}, {"url": url, "method": "GET"})
    expected = f"HttpStatusCode - '{line[:3]}', message - 'no'"
    assert expected in error.value.message


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("7", 7), ("Wed, 21 Oct 2026 07:28:00 GMT", 10), ("-1", 10), ("1e99", 10), ("9" * 400, 3600)],
)
def test_the_pause_until_the_next_poll_is_a_number_or_the_usual_one(given: str, seconds: float) -> None:
    assert web._pause(outgoing.Answer(202, {"Retry-After": given}, "")) == seconds


@pytest.mark.attack
@pytest.mark.parametrize(
    ("status", "said"), [("200 OK", "is not a valid JObject"), ("400 No", "BadRequest|Bad Request")]
)
async def test_an_answer_of_a_hundred_thousand_levels_fails_its_activity(
    platform: Platform, status: str, said: str
) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n{'[' * 100_000}"
    async with serving(answer) as url, aiohttp.ClientSession() as platform.http:
        with pytest.raises(web.ActivityError) as error:
            await web.request(platform, {}, {"url": url, "method": "GET"})
    assert re.search(said, error.value.message[:200])
