from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

import amlite
from amlite.core import listening


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


@pytest.mark.attack
@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
def test_a_connection_without_a_whole_request_ends(sent: bytes) -> None:
    async def run() -> bytes:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", _answer)
        runner = listening.runner(app, idle=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(sent)
        received = await reader.read()
        writer.close()
        await runner.cleanup()
        return received

    assert asyncio.run(run()) == b""


def test_every_web_server_has_the_limits() -> None:
    source = Path(amlite.__file__).parent
    makers = {path.name for path in source.rglob("*.py") if "AppRunner(" in path.read_text("utf-8")}
    assert makers == {"listening.py"}
