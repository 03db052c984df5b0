"""A Docker engine, a registry to push to, and a base image: where this machine allows it."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bootstrap import golang
from bootstrap.base_image import base_image
from bootstrap.debian import install_packages, is_debian
from bootstrap.errors import SetupError
from bootstrap.files import digest
from bootstrap.layout import Layout
from bootstrap.network import answers
from bootstrap.phases import Found, Task, state_of, which

SWITCH = "AZUREML_PLATFORM_DOCKER"
"""`auto` (the default) or `off`: pretend that there is no Docker engine."""

REGISTRY_PACKAGE = "github.com/distribution/distribution/v3/cmd/registry"
BASE_IMAGES = "https://mcr.microsoft.com/v2/"
CAP_SYS_ADMIN = 21
"""The number of the Linux capability without which a Docker daemon cannot start."""


class Docker:
    """Decides how images are built.

    Facts:
        mode: `engine` (one answers already, at `host`), `private` (amlite starts a daemon of its own from
            `daemon_path`) or `none`.
        reason: Why this mode, in words.
        host: For DOCKER_HOST, in mode `engine`; else None.
        client_path, daemon_path: The programs; None where the mode has no use for them.
        base_image_path: Where the public registry of base images is out of reach (and we are root on Debian or
            Ubuntu): a root file system to `docker import`, Debian with Python; else None.
    """

    name = "docker"
    title = "Docker"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`."""
        programs = [state_of(which(name, layout)) for name in ("docker", "dockerd", "docker-registry")]
        return digest(switch(), engine_address() or "", str(os.geteuid()), *programs)

    def still_holds(self, found: Found) -> bool:
        """See `Phase`. The engine's address is among the inputs, so a started or stopped engine is noticed."""
        return not (found.off and found.facts.get("retry"))

    def run(self, task: Task) -> Found:
        """See `Phase`. Never fails: without Docker the image build is off, and the summary says why."""
        if switch() == "off":
            return off(f"turned off by {SWITCH}=off")
        try:
            address = engine_address()
            return self._with_engine(task, address) if address is not None else self._private(task)
        except SetupError as error:
            return off(f"{error.what} (log: {error.log})", retry=True)

    @staticmethod
    def _with_engine(task: Task, address: str) -> Found:
        client = which("docker", task.layout)
        if client is None:
            return off(f"an engine answers at {address}, but there is no `docker` program on PATH")
        return Found(
            f"engine at {address}",
            {"docker-registry": str(registry(task))},
            {
                "mode": "engine",
                "reason": f"an engine answers at {address}",
                "host": address,
                "client_path": client,
                "daemon_path": None,
                "base_image_path": str(base_image(task)) if needs_base_image() and may_install() else None,
            },
        )

    @staticmethod
    def _private(task: Task) -> Found:
        why_not = private_daemon_impossible()
        if why_not is not None:
            return off(f"no engine answers, and {why_not}")
        programs = {"dockerd": "docker.io", "docker": "docker.io", "docker-registry": "docker-registry"}
        packages = {package for program, package in programs.items() if which(program, task.layout) is None}
        if packages:
            install_packages(task, sorted(packages))
        client, daemon = which("docker", task.layout), which("dockerd", task.layout)
        if client is None or daemon is None:
            raise SetupError("docker.io was installed without docker or dockerd", log=task.log, fix="See the log.")
        return Found(
            "private daemon, started on demand",
            {"docker-registry": str(registry(task))},
            {
                "mode": "private",
                "reason": "no engine answers, but we are root and may start one",
                "host": None,
                "client_path": client,
                "daemon_path": daemon,
                "base_image_path": str(base_image(task)) if needs_base_image() else None,
            },
        )


def off(reason: str, *, retry: bool = False) -> Found:
    """There is no Docker here: image build off, jobs run as plain processes.

    Args:
        reason: Why, in words.
        retry: The next set-up tries again although nothing else changed.
    """
    facts = {"mode": "none", "reason": reason, "retry": retry}
    empty = dict.fromkeys(("host", "client_path", "daemon_path", "base_image_path"))
    return Found(f"image build is off: {reason}", facts={**facts, **empty}, off=True)


def switch(environment: Mapping[str, str] = os.environ) -> str:
    """The switch's value.

    Raises:
        SetupError: It is neither `auto` nor `off`.
    """
    value = environment.get(SWITCH, "auto") or "auto"
    if value not in {"auto", "off"}:
        raise SetupError(f"{SWITCH}={value} is not known", fix=f"Set {SWITCH} to auto or off, or unset it.")
    return value


def engine_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """Where a Docker engine answers now, as DOCKER_HOST would say it; DOCKER_HOST alone counts when it is set."""
    explicit = environment.get("DOCKER_HOST")
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


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def engine_answers(address: str, seconds: float = 2.0) -> bool:
    """Whether a Docker engine answers `GET /_ping` at a `unix://` or `tcp://` address."""
    try:
        parts = urlsplit(address)
        connection: http.client.HTTPConnection
        if parts.scheme == "unix":
            connection = _UnixConnection(parts.path, seconds)
        elif parts.scheme in {"tcp", "http"} and parts.hostname is not None:
            connection = http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=seconds)
        else:
            return False
        try:
            connection.request("GET", "/_ping")
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return False


def needs_base_image() -> bool:
    """Whether base images cannot be pulled from where they are published."""
    return not answers(BASE_IMAGES)


def may_install() -> bool:
    """Whether we may install packages and make a root file system."""
    return private_daemon_impossible() is None


def private_daemon_impossible(status: Path = Path("/proc/self/status")) -> str | None:
    """Why we cannot run a Docker daemon of our own; None when we can."""
    if os.geteuid() != 0:
        return "only root can install one"
    if not is_debian():
        return "this is not Debian or Ubuntu, where we know how to install one"
    if not has_capability(status.read_text(), CAP_SYS_ADMIN):
        return "root lacks the capability SYS_ADMIN here (a container that is not privileged)"
    return None


def has_capability(status: str, number: int) -> bool:
    """Whether the text of /proc/<pid>/status shows a capability as effective."""
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    return bool(int(line.split()[1], 16) >> number & 1)


def registry(task: Task) -> Path:
    """The program of the distribution registry: installed, from the distribution's packages, or built once."""
    on_path = which("docker-registry", task.layout)
    if on_path is not None:
        return Path(on_path)
    built = task.layout.cache / "docker-registry" / "docker-registry"
    if built.exists():
        return built
    if os.geteuid() == 0 and is_debian():
        install_packages(task, ["docker-registry"])
        installed = which("docker-registry", task.layout)
        if installed is not None:
            return Path(installed)
    unfinished = built.with_suffix(".unfinished")
    golang.build(task, task.layout.recipes / "docker-registry", REGISTRY_PACKAGE, unfinished)
    unfinished.replace(built)
    return built
