"""What a killed engine left is found, and nothing else that a user runs through amlite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amlite.core import runtime
from amlite.pulumi import plugins

Start = Callable[..., subprocess.Popen[bytes]]
_ENDLESS = "import sys; sys.stdin.read()"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def start(*command: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, runtime.VARIABLE: str(tmp_path), runtime.INSIDE: "1", **variables}
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=environment))
        return running[-1]

    yield start
    for each in running:
        each.communicate()


def test_a_plugin_without_an_engine_is_ended(start: Start, tmp_path: Path) -> None:
    program = tmp_path / "pulumi-language-python-exec"
    program.write_text(_ENDLESS)
    left = start(sys.executable, "-u", str(program))
    others = start(sys.executable, "-c", _ENDLESS), start(sys.executable, str(program), AMLITE_STATE="/another")
    # A shell under this name stands in for the engine.
    engine = tmp_path / "pulumi"
    engine.symlink_to("/bin/sh")
    running = start(str(engine), "-c", '"$PYTHON" "$PROGRAM"; true', PYTHON=sys.executable, PROGRAM=str(program))
    assert plugins.end_left(tmp_path) == 1
    assert left.wait() != 0
    assert [each.poll() for each in (*others, running)] == [None] * 3
