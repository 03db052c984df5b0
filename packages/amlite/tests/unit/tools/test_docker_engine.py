from __future__ import annotations

import http.server
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstrap import docker
from bootstrap.debian import is_debian, no_new_daemons
from bootstrap.docker import Docker, engine_address, engine_answers, has_capability, off, switch
from bootstrap.errors import SetupError
from bootstrap.phases import Task


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers `GET /_ping` as a Docker engine does, everything else with 404."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()

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


def test_an_engine_that_answers_is_used(
    engine: str, programs: Callable[[str, str], Path], task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setattr(docker, "needs_base_image", lambda: False)
    client, registry = programs("docker", "true"), programs("docker-registry", "true")
    before = Docker().inputs(task.layout)
    found = Docker().run(task)
    assert found.tools == {"docker-registry": str(registry)}
    assert (found.facts["mode"], found.facts["host"], found.facts["client_path"]) == ("engine", engine, str(client))
    assert not found.off
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    assert Docker().inputs(task.layout) != before


def test_switched_off_it_is_off_even_with_an_engine(engine: str, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setenv("AZUREML_PLATFORM_DOCKER", "off")
    found = Docker().run(task)
    assert found.off
    assert found.facts["mode"] == "none"
    assert found.summary == "image build is off: turned off by AZUREML_PLATFORM_DOCKER=off"
    assert Docker().still_holds(found)


def test_without_root_it_is_off_and_says_why(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "engine_address", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Docker().run(task).facts["reason"] == "no engine answers, and only root can install one"


def test_a_failing_installation_is_off_and_tried_again_next_time(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise SetupError("apt-get ended with code 100", fix="", log=task.log)

    monkeypatch.setattr(docker, "engine_address", lambda: None)
    monkeypatch.setattr(docker, "private_daemon_impossible", lambda: None)
    monkeypatch.setattr(docker, "which", lambda *_: None)
    monkeypatch.setattr(docker, "install_packages", fail)
    found = Docker().run(task)
    assert found.off
    assert "apt-get ended with code 100" in found.summary
    assert not Docker().still_holds(found)


def test_an_unknown_switch_is_an_error_with_the_allowed_values() -> None:
    with pytest.raises(SetupError, match="AZUREML_PLATFORM_DOCKER=no is not known") as caught:
        switch({"AZUREML_PLATFORM_DOCKER": "no"})
    assert "auto or off" in caught.value.fix
    assert switch({}) == switch({"AZUREML_PLATFORM_DOCKER": ""}) == "auto"


def test_capabilities_are_read_from_the_effective_set() -> None:
    assert has_capability("CapPrm:\t0\nCapEff:\t000001ffffffffff\n", 21)
    assert not has_capability("CapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\n", 21)
    assert not has_capability("", 21)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ID=debian\n", True), ('ID=pop\nID_LIKE="ubuntu debian"\n', True), ("ID=fedora\n", False), ("", False)],
)
def test_debian_and_its_children(
    programs: Callable[[str, str], Path], tmp_path: Path, text: str, expected: bool
) -> None:
    programs("apt-get", "true")
    (tmp_path / "os-release").write_text(text)
    assert is_debian(tmp_path / "os-release") is expected
    assert not is_debian(tmp_path / "nothing")


def test_daemons_are_kept_from_starting_and_the_machines_own_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_new_daemons(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert os.access(policy, os.X_OK)
    assert not policy.exists()
    policy.write_text("theirs")
    with no_new_daemons(policy):
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"


def test_off_has_every_fact_amlite_reads() -> None:
    assert set(off("x").facts) >= {"mode", "reason", "host", "client_path", "daemon_path", "base_image_path"}
