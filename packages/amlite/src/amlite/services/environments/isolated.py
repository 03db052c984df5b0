"""Run a container for which the rest of this machine's network does not exist. This is a program, not a module.

The container has a network with a loopback device only. For each of OUTWARDS (ports, separated by commas), a relay
connects the port inside with the same port of this machine, such as amlite's proxy. INWARDS, if it is not empty, is
`SOCKET:PORT`: who connects to the socket here reaches the port inside. To enter another network, the program needs
root, like the private daemon. Without OUTWARDS, the container has the network that its arguments say.

VARIABLES is the file with the container's variables, which is deleted when the container has ended.

Usage: isolated.py VARIABLES INWARDS OUTWARDS NAME DOCKER ARGUMENTS... (of `docker run`, which name the container NAME).
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PIECE = 1 << 16
_LOOK_SECONDS = 0.02
_Connect = Callable[[], socket.socket]


def _enter(network: int) -> None:
    """Move this thread to a network. A socket belongs to the network in which its thread created it."""
    if ctypes.CDLL(None, use_errno=True).setns(network, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "cannot enter the container's network")


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def _relay(listener: socket.socket, connect: _Connect) -> None:
    """Join every caller of `listener` with a connection of this thread's network."""
    while True:
        near, _ = listener.accept()
        try:
            far = connect()
        except OSError:
            near.close()
            continue
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, target):
            each.close()


def _inwards(listener: socket.socket, network: int, port: int) -> None:
    _enter(network)
    _relay(listener, lambda: _connect(port))


def _outwards(inside: int, here: int, ports: list[int]) -> None:
    _enter(inside)
    listeners = [(socket.create_server(("127.0.0.1", port)), port) for port in ports]
    _enter(here)
    for listener, port in listeners:
        threading.Thread(target=_relay, args=(listener, lambda port=port: _connect(port)), daemon=True).start()


class _Engine(http.client.HTTPConnection):
    """The Docker engine at a socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _network_of(name: str, running: subprocess.Popen[bytes]) -> int | None:
    """Return the container's network when it runs. Return None if it has ended."""
    engine = _Engine(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    while running.poll() is None:
        engine.request("GET", f"/containers/{name}/json")
        found = json.loads(engine.getresponse().read()).get("State", {}).get("Pid")
        if found:
            try:
                return os.open(f"/proc/{found}/ns/net", os.O_RDONLY)
            except FileNotFoundError:
                return None
        time.sleep(_LOOK_SECONDS)
    return None


def _run(inwards: str, outwards: list[int], name: str, command: list[str]) -> int:
    path, _, inside = inwards.rpartition(":")
    listener = socket.socket(socket.AF_UNIX)
    if path:
        listener.bind(path)
        listener.listen(128)
    with subprocess.Popen(command) as running:
        signal.signal(signal.SIGTERM, lambda *_: running.terminate())
        network = _network_of(name, running) if outwards else None
        if network is not None:
            here = os.open("/proc/self/ns/net", os.O_RDONLY)
            threading.Thread(target=_outwards, args=(network, here, outwards), daemon=True).start()
            if path:
                threading.Thread(target=_inwards, args=(listener, network, int(inside)), daemon=True).start()
        return running.wait()


def main() -> int:
    """Run the container and its relays until it ends. Return its exit code."""
    variables, inwards, outwards, name, *command = sys.argv[1:]
    try:
        return _run(inwards, [int(each) for each in outwards.split(",") if each], name, command)
    finally:
        Path(variables).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
