from __future__ import annotations

import http.server
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amlite.core import private_folder
from amlite.tools import debian, docker_engine
from amlite.tools.base import Task, ToolError, Unavailable
from amlite.tools.docker_engine import TOOL, engine_address, engine_answers, has_capability

Programs = Callable[[str, str], Path]


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers a ping and with its version as a Docker engine does, everything else with 404."""

    def do_GET(self) -> None:
        known = {"/_ping": b"OK", "/version": b'{"Version": "28.1.0"}'}
        self.send_response(200 if self.path in known else 404)
        self.end_headers()
        self.wfile.write(known.get(self.path, b""))

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    # A Unix socket's path is at most 107 bytes long; pytest's folders can be longer.
    folder = tmp_path
    while len(str(folder)) > 80:
        folder = folder.parent
    path = folder / f"d{os.getpid()}.sock"
    with socketserver.UnixStreamServer(str(path), Engine) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()
    path.unlink()


def test_an_engine_that_answers_is_found(engine: str, tmp_path: Path) -> None:
    assert engine_answers(engine)
    assert engine_address({"DOCKER_HOST": engine}) == engine
    assert not engine_answers(f"unix://{tmp_path}/nothing.sock")


@pytest.mark.parametrize("address", ["unix:///nonexistent", "tcp://127.0.0.1:1", "ssh://x", "nonsense", "tcp://[", ""])
def test_what_does_not_answer_is_no_engine(address: str) -> None:
    assert not engine_answers(address, 0.5)


def test_a_docker_host_that_does_not_answer_is_not_replaced_by_another_engine() -> None:
    assert engine_address({"DOCKER_HOST": "unix:///nonexistent"}) is None


def test_commands_get_the_door_only_where_amlite_has_a_daemon_of_its_own(
    engine: str, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    programs("docker", "true")
    assert docker_engine.host_for_commands(tmp_path) is None
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    assert docker_engine.host_for_commands(tmp_path) is None
    programs("dockerd", "true")
    monkeypatch.setattr(docker_engine, "why_no_daemon", lambda: None)
    assert docker_engine.host_for_commands(tmp_path) is None, "there is no private folder before amlite runs"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    door = docker_engine.door(private_folder.ensure(tmp_path))
    assert docker_engine.host_for_commands(tmp_path) == f"unix://{door}"
    monkeypatch.setenv("AMLITE_DOCKER", "off")
    assert docker_engine.host_for_commands(tmp_path) is None


def test_a_door_is_not_taken_for_the_machines_engine(tmp_path: Path) -> None:
    door = f"unix://{docker_engine.door(tmp_path)}"
    assert engine_address({"DOCKER_HOST": door}) == engine_address({})


async def test_an_engine_that_answers_is_used(engine: str, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    programs("docker", "true")
    assert await TOOL.ensure() == engine
    assert docker_engine.is_address(engine)
    assert TOOL.version(engine) == "28.1.0"


async def test_an_engine_without_a_client_is_of_no_use(
    engine: str, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    del programs  # nothing on PATH
    monkeypatch.setenv("DOCKER_HOST", engine)
    with pytest.raises(Unavailable, match="but the `docker` program is not on PATH"):
        await TOOL.ensure()


async def test_switched_off_it_is_off_even_with_an_engine(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setenv("AMLITE_DOCKER", "off")
    with pytest.raises(Unavailable, match="turned off by AMLITE_DOCKER=off"):
        await TOOL.ensure()


async def test_without_root_it_is_off_and_says_why(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs("docker", "true")
    programs("dockerd", "true")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match=r"no engine answers, and only root can install one\n  fix: Install Docker"):
        await TOOL.ensure()


async def test_root_on_debian_gets_a_daemon_that_amlite_can_start(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def install(_task: Task, packages: list[str]) -> None:
        assert packages == ["docker.io"]
        programs("docker", "true")
        programs("dockerd", "echo Docker version 20.10.24, build 297e128")

    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    monkeypatch.setattr(docker_engine, "why_no_daemon", lambda: None)
    monkeypatch.setattr(debian, "why_not", lambda: None)
    monkeypatch.setattr(debian, "install", install)
    found = await TOOL.ensure()
    assert found.endswith("/programs/dockerd")
    assert not docker_engine.is_address(found)
    assert TOOL.version(found) == "20.10.24"


async def test_a_package_without_its_programs_is_an_error(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def install(_task: Task, _packages: list[str]) -> None:
        """Install nothing."""

    del programs
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    monkeypatch.setattr(docker_engine, "why_no_daemon", lambda: None)
    monkeypatch.setattr(debian, "why_not", lambda: None)
    monkeypatch.setattr(debian, "install", install)
    with pytest.raises(ToolError, match=r"docker\.io was installed without docker or dockerd"):
        await TOOL.ensure()


def test_an_unknown_switch_is_an_error_with_the_allowed_values() -> None:
    with pytest.raises(ToolError, match=r"AMLITE_DOCKER=no is not known\n  fix: Set AMLITE_DOCKER to auto or off"):
        docker_engine.is_off({"AMLITE_DOCKER": "no"})
    assert not docker_engine.is_off({})
    assert not docker_engine.is_off({"AMLITE_DOCKER": ""})


def test_capabilities_are_read_from_the_effective_set() -> None:
    assert has_capability("CapPrm:\t0\nCapEff:\t000001ffffffffff\n", 21)
    assert not has_capability("CapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\n", 21)
    assert not has_capability("", 21)
