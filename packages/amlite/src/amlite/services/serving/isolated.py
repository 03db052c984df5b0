"""Run a container in its own network, with a loopback port of this machine. This is a program, not a module.

amlite's private Docker daemon has no bridge network, and in the machine's network two deployments of the same image
would need the same port. Therefore the container gets a network with a loopback device only. One relay connects this
machine's PORT to INSIDE, where the container listens. For each of OUTWARDS (ports, separated by commas), another relay
connects the port inside to the same port of this machine, such as amlite's proxy. To enter another network, the program
needs root, like the private daemon.

Usage: isolated.py PORT INSIDE OUTWARDS NAME DOCKER ARGUMENTS... (those of `docker run`, which name the container NAME).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import NoReturn

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_PIECE = 1 << 16


def _enter(network: int) -> None:
    """Move this thread to a network. A socket belongs to the network in which its thread created it."""
    if ctypes.CDLL(None, use_errno=True).setns(network, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "cannot enter the container's network")


def _relay(listener: socket.socket, port: int) -> NoReturn:
    """Connect every caller of `listener` with a loopback port of this thread's network."""
    while True:
        near, _ = listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", port))
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
    _relay(listener, port)


def _outwards(inside: int, here: int, port: int) -> None:
    _enter(inside)
    listener = socket.create_server(("127.0.0.1", port))
    _enter(here)
    _relay(listener, port)


def _network_of(docker: str, name: str, running: subprocess.Popen[bytes]) -> int | None:
    """Return the container's network when it runs. Return None if it has ended."""
    while running.poll() is None:
        line = [docker, "inspect", "--format", "{{.State.Pid}}", name]
        found = subprocess.run(line, check=False, capture_output=True, text=True).stdout.strip()
        if found.isdigit() and int(found):
            try:
                return os.open(f"/proc/{found}/ns/net", os.O_RDONLY)
            except FileNotFoundError:
                return None
        time.sleep(0.05)
    return None


def main() -> int:
    """Run the container and its relays until it ends. Return its exit code."""
    port, inside = int(sys.argv[1]), int(sys.argv[2])
    outwards = [int(each) for each in sys.argv[3].split(",")]
    name, *command = sys.argv[4:]
    listener = socket.create_server(("127.0.0.1", port))
    with subprocess.Popen(command) as running:
        signal.signal(signal.SIGTERM, lambda *_: running.terminate())
        network = _network_of(command[0], name, running)
        if network is not None:
            here = os.open("/proc/self/ns/net", os.O_RDONLY)
            threading.Thread(target=_inwards, args=(listener, network, inside), daemon=True).start()
            for each in outwards:
                threading.Thread(target=_outwards, args=(network, here, each), daemon=True).start()
        return running.wait()


if __name__ == "__main__":
    sys.exit(main())
