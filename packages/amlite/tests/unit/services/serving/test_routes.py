"""The answers of models on their way to the callers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.monitoring import measurements
from amlite.services.serving import routes, servers

Handler = Callable[[web.Request], Any]
LONG = routes._MOST_HELD + (1 << 20)
DEPLOYMENT = {"name": "blue", "id": "/d", "properties": {"requestSettings": {"requestTimeout": "PT20S"}},
              "sku": {"capacity": 1}}  # fmt: skip


@contextlib.asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Answer each request on a port with a handler. Yield the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class Measured(list[tuple[int, int | None]]):
    """The statuses of the counted requests: those of the gateway and of the model."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = asyncio.Event()

    def record(self, *values: Any) -> None:
        self.append(values[3:5])
        self.arrived.set()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    found = Measured()
    monkeypatch.setattr(measurements, "record", found.record)
    return found


@contextlib.asynccontextmanager
async def gateway(platform: Platform, monkeypatch: pytest.MonkeyPatch, model: Handler) -> AsyncIterator[str]:
    """Yield the address of a gateway to a model."""
    async with listening(model) as address, aiohttp.ClientSession() as session:

        @contextlib.asynccontextmanager
        async def serving(*_: Any) -> AsyncIterator[Any]:
            yield SimpleNamespace(address=lambda _path: address, agent=None, child=SimpleNamespace(http=session))

        async def score(request: web.Request) -> web.StreamResponse:
            asked = routes._Asked("POST", "/score", {}, b"")
            try:
                return await routes._measured(platform, {"id": "/e"}, DEPLOYMENT, asked, 0.0, request)
            except AzureError as error:
                return web.Response(status=error.status, text=error.message)

        monkeypatch.setattr(servers, "serving", serving)
        async with listening(score) as there:
            yield there


@pytest.mark.attack
async def test_a_long_answer_is_forwarded_before_the_model_has_ended_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    """Only its beginning is in memory."""
    arrived = asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/plain", "X-Other": "1"})
        await answer.prepare(request)
        await answer.write(b"x" * LONG)
        await arrived.wait()
        await answer.write(b"y" * LONG)
        return answer

    async with (
        gateway(platform, monkeypatch, model) as address,
        aiohttp.ClientSession() as session,
        asyncio.timeout(15),
        session.post(address) as answer,
    ):
        beginning = await answer.content.readexactly(LONG)
        arrived.set()
        rest = await answer.read()
    assert (beginning, rest) == (b"x" * LONG, b"y" * LONG)
    assert (answer.status, answer.content_type, answer.headers["azureml-model-deployment"]) == (
        200,
        "text/plain",
        "blue",
    )
    assert "x-ms-request-id" in answer.headers
    assert "X-Other" not in answer.headers
    assert measured == [(200, 200)]


@pytest.mark.parametrize(("length", "given"), [(1000, True), (LONG, False)])
async def test_an_answer_that_ends_in_the_middle_is_no_whole_one(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    measured: Measured,
    length: int,
    given: bool,
) -> None:
    async def model(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": str(length + 1)})
        await answer.prepare(request)
        await answer.write(b"x" * length)
        assert request.transport is not None
        await asyncio.sleep(0.2)  # aborted at once, the beginning would not arrive
        request.transport.abort()
        return answer

    async with gateway(platform, monkeypatch, model) as address, aiohttp.ClientSession() as session:
        if given:
            async with session.post(address) as answer:
                assert answer.status == 424
                assert "ended while it answered" in await answer.text()
        else:
            with pytest.raises(aiohttp.ClientError):
                async with session.post(address) as answer:
                    await answer.read()
    assert measured == [(424, None)]


async def test_a_caller_that_leaves_in_the_middle_is_no_error_of_the_model(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    left = asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"x" * LONG)
        await left.wait()
        with contextlib.suppress(ConnectionResetError):  # the gateway ends the connection, too
            for _ in range(1000):
                await answer.write(b"y" * (1 << 16))
        return answer

    async with gateway(platform, monkeypatch, model) as address, aiohttp.ClientSession() as session:
        async with session.post(address) as answer:
            await answer.content.readexactly(LONG)
            answer.close()
        left.set()
        async with asyncio.timeout(15):
            await measured.arrived.wait()
    assert measured == [(200, 200)]


async def test_a_caller_that_leaves_at_the_end_is_no_error_of_the_model() -> None:
    async def left() -> None:
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    answer: Any = SimpleNamespace(headers={}, status=500)
    reply = routes._Reply(answer, "blue", None)
    begun: Any = SimpleNamespace(write_eof=left)
    reply._begun = begun
    with pytest.raises(routes._CallerLeftError) as caught:
        await reply.end()
    assert (caught.value.status, caught.value.model_status) == (424, 500)


async def test_a_short_answer_and_a_refusal_are_whole(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    async def model(_request: web.Request) -> web.Response:
        return web.Response(status=500, text="broken")

    async with (
        gateway(platform, monkeypatch, model) as address,
        aiohttp.ClientSession() as session,
        session.post(address) as answer,
    ):
        assert (answer.status, await answer.text()) == (424, "broken")
        assert answer.headers["ms-azureml-model-error-statuscode"] == "500"
    assert measured == [(424, 500)]
