from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import psutil
import pytest

from amlite.core import processes as children_module
from amlite.core.errors import StartError
from amlite.core.processes import Child, Children, free_port, reap

# Serves the port given, after printing a line.
SERVE = "import http.server, sys; print('hello', flush=True); http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')"
# Answers at the socket given with the text given.
SERVE_AT_SOCKET = """
import asyncio, sys
from aiohttp import web
async def answer(_): return web.Response(text=sys.argv[2])
app = web.Application()
app.router.add_get("/", answer)
web.run_app(app, path=sys.argv[1], print=None)
"""
# Answers one request for each connection. It closes the connection when the next request arrives, as a server does that
# waited long enough for it.
CLOSE_AT_SOCKET = """
import asyncio, sys
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    await reader.read(1)
    writer.close()
async def main():
    server = await asyncio.start_unix_server(answer, sys.argv[1])
    await server.serve_forever()
asyncio.run(main())
"""
# Starts a grandchild in a session of its own, says its number and waits.
FORK = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(grandchild.pid, flush=True)
time.sleep(600)
"""


def _python(code: str, *arguments: object) -> Sequence[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


@pytest.fixture
async def children(tmp_path: Path) -> AsyncIterator[Children]:
    made = Children(tmp_path)
    yield made
    await made.stop_all()


async def _first_line(child: Child) -> str:
    while "\n" not in child.log.read_text():
        assert child.running, child.log.read_text()
        await asyncio.sleep(0.01)
    return child.log.read_text().splitlines()[0]


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_child_that_closes_idle_connections_gets_every_request(children: Children) -> None:
    """A request on a connection that the child closed meanwhile failed with a broken pipe."""
    child = await children.ensure_at_socket("web", lambda socket: _python(CLOSE_AT_SOCKET, socket))
    for _ in range(2):
        async with child.http.post(child.url("/")) as answer:
            assert await answer.text() == "ok"
        await asyncio.sleep(1.1)


async def test_started_once_for_all_who_ask(children: Children) -> None:
    asked = [children.ensure("web", lambda port: _python(SERVE, port)) for _ in range(5)]
    found = await asyncio.gather(*asked)
    assert len({child.process.pid for child in found}) == 1
    assert [child.name for child in children.list()] == ["web"]


async def test_started_again_after_it_was_killed(children: Children) -> None:
    first = await children.ensure("web", lambda port: _python(SERVE, port))
    first.process.kill()
    await first.process.wait()
    assert children.list() == []
    second = await children.ensure("web", lambda port: _python(SERVE, port))
    assert second.process.pid != first.process.pid


async def test_early_death_tells_the_exit_code_and_the_logs_tail(children: Children) -> None:
    with pytest.raises(StartError, match=r"(?s)broken ended with 3; log .*broken\.log:\nno such option"):
        await children.ensure("broken", lambda _: _python("import sys; print('no such option'); sys.exit(3)"))
    assert children.list() == []


async def test_one_that_is_never_ready_is_ended(children: Children) -> None:
    started: list[int] = []

    async def never(_: int) -> bool:
        return False

    def command(port: int) -> Sequence[str]:
        started.append(port)
        return _python("import time; time.sleep(600)")

    with pytest.raises(StartError, match="lazy was not ready after 0 s"):
        await children.ensure("lazy", command, ready=never, timeout=0.0)
    assert started
    assert children.list() == []


async def test_program_that_is_missing_is_named(children: Children) -> None:
    with pytest.raises(StartError, match=r"cannot start gone \(/no/such/program\): No such file"):
        await children.spawn("gone", ["/no/such/program"])


async def test_stopping_takes_descendants_in_other_sessions(children: Children) -> None:
    child = await children.spawn("tree", _python(FORK))
    grandchild = int(await _first_line(child))
    await children_module.end(child)
    assert not _runs(grandchild)
    assert child.process.returncode == -15, "the exit code is the child's own"


async def test_whoever_asks_during_a_stop_gets_a_new_one(children: Children) -> None:
    first = await children.ensure("web", lambda port: _python(SERVE, port))
    stopping = asyncio.create_task(children.stop("web"))
    await asyncio.sleep(0)
    second = await children.ensure("web", lambda port: _python(SERVE, port))
    await stopping
    assert not first.running
    assert second.running


async def test_reaping_finds_what_a_killed_owner_left(tmp_path: Path) -> None:
    owner = Children(tmp_path)
    child = await owner.spawn("tree", _python(FORK))
    grandchild = int(await _first_line(child))
    other = Children(tmp_path / "other")
    stranger = await other.spawn("stranger", _python("import time; time.sleep(600)"), log=tmp_path / "stranger.log")
    # The child dies alone, as it would by `kill -9`: its own child is left without any parent of ours.
    child.process.kill()
    await child.process.wait()
    assert _runs(grandchild)
    assert await asyncio.to_thread(reap, tmp_path) == 1
    assert not _runs(grandchild)
    assert stranger.running, "another owner's"
    await children_module.end(stranger)


async def test_stubborn_ones_are_killed(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "_GRACE_SECONDS", 0.2)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = await children.spawn("deaf", _python(code))
    await _first_line(child)
    await children_module.end(child)
    assert child.process.returncode == -9


async def test_none_is_started_while_amlite_stops(tmp_path: Path) -> None:
    stopped = Children(tmp_path)
    await stopped.stop_all()
    with pytest.raises(StartError, match="amlite is stopping"):
        await stopped.spawn("late", _python("pass"))


def test_free_ports_are_free() -> None:
    assert 0 < free_port() < 65536


@pytest.mark.attack
async def test_a_port_that_another_program_took_is_not_the_childs(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to a child has a signature that the other program could use."""
    heard: list[bytes] = []

    async def steal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(steal, "127.0.0.1", 0) as thief:
        stolen = thief.sockets[0].getsockname()[1]
        ports = iter([stolen, free_port()])
        monkeypatch.setattr(children_module, "free_port", lambda: next(ports))
        child = await children.ensure("web", lambda port: _python(SERVE, port))
        assert child.port != stolen
        async with child.http.get(child.url("/")) as answer:
            assert "BaseHTTP" in answer.headers["Server"]
        ports = iter([stolen] * 3)
        with pytest.raises(StartError, match="ended with"):
            await children.ensure("other", lambda port: _python(SERVE, port))
    assert not any(heard)


@pytest.mark.attack
async def test_a_link_in_the_place_of_a_socket_leads_nowhere(children: Children) -> None:
    """A model server may write beside its socket. A link led its endpoint to MLflow and the Docker engine."""

    async def at_socket(name: str) -> tuple[Child, Path]:
        made = await children.ensure_at_socket(name, lambda socket: _python(SERVE_AT_SOCKET, socket, name))
        assert made.socket is not None
        return made, made.socket

    async def answered(child: Child) -> str:
        async with child.http.get(child.url("/"), headers={"Connection": "close"}) as answer:
            return await answer.text()

    (model, place), (_, other) = await at_socket("model"), await at_socket("other")
    assert await answered(model) == "model"
    kept = place.with_name("kept")
    place.rename(kept)
    for target in (other, kept):
        place.symlink_to(target)
        with pytest.raises(aiohttp.ClientConnectorError):
            await answered(model)
        assert not await children_module.connects(model)
        place.unlink()
    kept.rename(place)
    assert await answered(model) == "model"
