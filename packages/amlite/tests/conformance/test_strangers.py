"""What another user of the machine, and a job of this user, get from the ports of a running amlite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest

from amlite.core import private_folder, runtime
from amlite.testing import LocalAzure

# Sends a request to each port, and prints the first line of each answer.
ASK = """
import socket, sys
for port in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", int(port)), 30) as connection:
        connection.settimeout(30)
        try:
            connection.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            answer = connection.recv(4096)
        except OSError:
            answer = b""
    print(port, answer.split(b"\\r\\n")[0].decode("latin-1"))
"""
# Only root can become another user, and make a process namespace as a container has.
STRANGERS = {
    "another user": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
    "a container in the machine's network": ["unshare", "--pid", "--fork"],
} if os.geteuid() == 0 else {}  # fmt: skip


def _asked(prefix: list[str], ports: list[int]) -> dict[int, str]:
    python = shutil.which("python3", path=os.defpath) or sys.executable
    line = [*prefix, python, "-I", "-c", ASK, *map(str, ports)]
    done = subprocess.run(line, check=True, capture_output=True, text=True, timeout=120)
    return {int(each.partition(" ")[0]): each.partition(" ")[2] for each in done.stdout.splitlines()}


def _listening(pid: int) -> set[int]:
    root = psutil.Process(pid)
    every = [root, *root.children(recursive=True)]
    return {each.laddr.port for process in every for each in process.net_connections("tcp") if each.status == "LISTEN"}


@pytest.mark.parametrize("prefix", STRANGERS.values(), ids=STRANGERS.keys())
def test_a_stranger_gets_nothing_at_any_port(amlite: LocalAzure, prefix: list[str]) -> None:
    running = runtime.read(amlite.state)
    assert running is not None
    environment = running.environment
    providers = [int(each.partition(":")[2]) for each in environment["PULUMI_DEBUG_PROVIDERS"].split(",")]
    proxy = urlsplit(environment["HTTPS_PROXY"]).port
    assert proxy is not None
    answers = _asked(prefix, sorted(_listening(running.pid)))
    assert {*providers, proxy} <= answers.keys()
    assert {answers[port] for port in providers} == {""}, "the connection ends"
    assert answers[proxy].startswith("HTTP/1.1 407 ")
    assert not [answer for answer in answers.values() if " 200 " in answer]


def test_what_listens_on_sockets_is_in_a_folder_of_this_user(amlite: LocalAzure) -> None:
    private = private_folder.find(amlite.state)
    assert private is not None
    assert private_folder.is_private(private)
