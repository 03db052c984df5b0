from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from amlite.core import outgoing
from amlite.core.platform import Platform


@pytest.mark.attack
@pytest.mark.parametrize("url", ["https://user:SECRET@example.com/a?code=SECRET#SECRET", "http://[SECRET", "/a?SECRET"])
async def test_an_error_has_no_secret_of_the_address(platform: Platform, url: str) -> None:
    with pytest.raises(outgoing.UnreachableError) as error:
        await outgoing.send(platform, "POST", url)
    assert "SECRET" not in str(error.value)


@pytest.fixture
async def endless(platform: Platform) -> AsyncIterator[str]:
    """Return the address of a server whose answer ends with the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 100_000)
            await asyncio.sleep(0)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as platform.http:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.attack
async def test_an_answer_without_an_end_takes_no_more_than_its_limit(platform: Platform, endless: str) -> None:
    with pytest.raises(outgoing.UnreachableError, match="larger than the limit of 1 MB"):
        await outgoing.send(platform, "GET", endless, most=1 << 20)
