"""A Docker engine: the one that answers on this machine, or a daemon that amlite may start for itself."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from amlite.core import private_folder
from amlite.tools import debian
from amlite.tools.base import Task, Tool, ToolError, Unavailable, dotted, output_of, version_in

SWITCH = "AMLITE_DOCKER"
"""`auto` (the default) or `off`: use no Docker engine."""

CAP_SYS_ADMIN = 21
"""The number of the Linux capability without which a Docker daemon cannot start."""

_DOOR = "engine.sock"
_FIX = "Install Docker and start it, or use an environment with a conda file or a build context."


def find() -> str | None:
    """See `Tool`: the address of an engine that answers, else the program of a daemon that amlite can start."""
    if is_off() or shutil.which("docker") is None:
        return None
    if (address := engine_address()) is not None:
        return address
    return shutil.which("dockerd") if why_no_daemon() is None else None


async def install(task: Task) -> str:
    """See `Tool`."""
    if is_off():
        raise Unavailable(f"turned off by {SWITCH}=off", fix=f"Unset {SWITCH}.")
    address = engine_address()
    if address is not None:
        raise Unavailable(
            f"an engine answers at {address}, but the `docker` program is not on PATH",
            fix="Install the Docker client and put it on PATH.",
        )
    why_not = debian.why_not() or why_no_daemon()
    if why_not is not None:
        raise Unavailable(f"no engine answers, and {why_not}", fix=_FIX)
    await debian.install(task, ["docker.io"])
    found = find()
    if found is None:
        raise ToolError("the package docker.io was installed without docker or dockerd", fix=_FIX, log=task.log)
    return found


def version(where: str) -> str:
    """See `Tool`."""
    if not is_address(where):
        return dotted(version_in(output_of(where, "--version")))
    return str(json.loads(_get(where, "/version") or "{}").get("Version", ""))


def is_address(where: str) -> bool:
    """Whether `find` returned the address of an engine that answers, and not a daemon's program."""
    return "://" in where


def is_off(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the user turned the engine off. Raises ToolError for an unknown value."""
    value = environment.get(SWITCH) or "auto"
    if value not in {"auto", "off"}:
        raise ToolError(f"{SWITCH}={value} is not known", fix=f"Set {SWITCH} to auto or off, or unset it.")
    return value == "off"


def door(private: Path) -> Path:
    """Return the socket at which amlite takes connections for its own daemon. The first one starts the daemon.

    `private` is amlite's private folder.
    """
    return private / _DOOR


def host_for_commands(state: Path) -> str | None:
    """Return the value of DOCKER_HOST for commands of `amlite run`, or None if they find an engine by themselves."""
    try:
        found = find()
    except ToolError:
        return None  # what needs an engine says what is wrong
    private = private_folder.find(state)
    return None if found is None or is_address(found) or private is None else f"unix://{door(private)}"


def engine_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of a Docker engine. If DOCKER_HOST is set, only that address counts, unless it is a door."""
    explicit = environment.get("DOCKER_HOST")
    if explicit and Path(explicit).name == _DOOR:
        explicit = None
    if explicit:
        candidates = [explicit]
    else:
        sockets = ["/var/run/docker.sock"]
        if "XDG_RUNTIME_DIR" in environment:
            sockets.append(f"{environment['XDG_RUNTIME_DIR']}/docker.sock")
        if "HOME" in environment:
            sockets.append(f"{environment['HOME']}/.docker/run/docker.sock")
        candidates = [f"unix://{path}" for path in sockets]
    return next((address for address in candidates if engine_answers(address)), None)


def engine_answers(address: str, seconds: float = 2.0) -> bool:
    """Whether a Docker engine answers at a `unix://` or `tcp://` address."""
    return _get(address, "/_ping", seconds) is not None


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _get(address: str, path: str, seconds: float = 2.0) -> bytes | None:
    """Return an engine's response with status 200, else None."""
    try:
        parts = urlsplit(address)
        connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            connection = _UnixConnection(parts.path, seconds)
        elif parts.scheme in {"tcp", "http"} and parts.hostname is not None:
            connection = http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=seconds)
        else:
            return None
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read() if answer.status == 200 else None
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return None


def why_no_daemon(status: Path = Path("/proc/self/status")) -> str | None:
    """Return why amlite cannot run its own Docker daemon, or None if it can."""
    if os.geteuid() != 0:
        return "only root can start one"
    if not status.exists():
        return "amlite starts one on Linux only"
    if not has_capability(status.read_text(), CAP_SYS_ADMIN):
        return "root lacks the capability SYS_ADMIN here (a container that is not privileged)"
    return None


def has_capability(status: str, number: int) -> bool:
    """Whether the text of /proc/<pid>/status shows a capability as effective."""
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    return bool(int(line.split()[1], 16) >> number & 1)


TOOL = Tool("docker-engine", "jobs and model servers in containers", find, install, version, optional=True)
