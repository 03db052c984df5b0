"""Another user of the machine who connects to a loopback port is recognized."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from amlite.core import peers

# Connects, says so, and waits.
CONNECT = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(connection.getsockname()[1], flush=True)
sys.stdin.read()
"""
# Only root can become another user and make a process namespace.
STRANGERS = (
    {
        "another user": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        "this user in a container": ["unshare", "--pid", "--fork"],
    }
    if os.geteuid() == 0
    else {}
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def _judged(listener: socket.socket, *prefix: str) -> bool:
    """Return what `is_own_process` says of a client that another program is."""
    line = [*prefix, shutil.which("python3", path=os.defpath) or sys.executable, "-I", "-c", CONNECT]
    here = listener.getsockname()
    with subprocess.Popen([*line, str(here[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        connection, peer = listener.accept()
        with connection:
            result = peers.is_own_process(peer, here)
        assert client.stdin is not None
        client.stdin.close()
    return result


def test_a_process_of_this_user_is_known(listener: socket.socket) -> None:
    assert _judged(listener)


@pytest.mark.parametrize("prefix", STRANGERS.values(), ids=STRANGERS.keys())
def test_another_user_and_a_container_are_strangers(listener: socket.socket, prefix: Sequence[str]) -> None:
    assert not _judged(listener, *prefix)


def test_a_client_that_is_gone_is_a_stranger(listener: socket.socket) -> None:
    here = listener.getsockname()
    with socket.create_connection(here) as client:
        peer = client.getsockname()
    assert not peers.is_own_process(peer, here)
