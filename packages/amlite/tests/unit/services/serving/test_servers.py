from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.services.serving import routes, servers
from amlite.services.serving.starting import Server

WORKSPACES = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces"


@pytest.mark.attack
def test_a_deployment_has_no_log_of_another_one(platform: Platform) -> None:
    """Others can write the names of an endpoint and a deployment so that they look the same, also in another region."""
    names = (("w", "a-b", "c"), ("w", "a", "b-c"), ("other", "a", "b-c"))
    ids = [f"{WORKSPACES}/{owner}/onlineEndpoints/{endpoint}/deployments/{name}" for owner, endpoint, name in names]
    logs = {servers.preparation_log(platform, each) for each in ids}
    assert len(logs) == len(ids)
    assert servers.preparation_log(platform, ids[0].upper()).name.endswith(
        servers.preparation_log(platform, ids[0]).name.rpartition("-")[2]
    )


DEPLOYMENT = {
    "id": f"{WORKSPACES}/w/onlineEndpoints/e/deployments/blue",
    "name": "blue",
    "properties": {},
    "sku": {"capacity": 1},
}


async def _server(tmp_path: Path, command: str, socket: Path) -> Server:
    process = await asyncio.create_subprocess_exec("sh", "-c", command)
    child = Child("server", process, tmp_path / "log", 0, socket)
    return Server(cast("Any", SimpleNamespace(custom=None)), child, cast("Any", None))


@contextlib.asynccontextmanager
async def _answering(socket: Path) -> AsyncIterator[None]:
    async def score(_: web.Request) -> web.Response:
        return web.json_response(3)

    application = web.Application()
    application.router.add_post("/score", score)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("command", "ends"), [("sleep 0.2", True), ("exec sleep 60", False)])
def test_a_server_that_ended_before_the_request_is_started_again(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, ends: bool
) -> None:
    """The socket of a killed server refuses connections some time before its process has ended."""
    monkeypatch.setattr(servers, "_ENDING_SECONDS", 2.0)

    async def ask() -> Any:
        first = await _server(tmp_path, command, tmp_path / "nobody.sock")
        second = await _server(tmp_path, "exec sleep 60", tmp_path / "http.sock")

        async def running(*_: object) -> Server:
            return first if first.child.running else second

        monkeypatch.setattr(servers, "_running", running)
        asked = routes._Asked("POST", "/score", {}, b"{}")
        try:
            async with _answering(tmp_path / "http.sock"):
                response, _ = await routes._ask(platform, DEPLOYMENT, asked, make_mocked_request("POST", "/score"))
                assert isinstance(response, web.Response)
                return response.body
        finally:
            for server in (first, second):
                await server.child.close()
                if server.child.running:
                    server.child.process.kill()
                await server.child.process.wait()

    if ends:
        assert asyncio.run(ask()) == b"3"
        return
    with pytest.raises(AzureError, match="accepts no connection") as raised:
        asyncio.run(ask())
    assert raised.value.status == 424
