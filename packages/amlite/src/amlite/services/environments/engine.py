"""The Docker engine that builds images and runs containers: the machine's own, or a private daemon as a child.

The private daemon does not change the host's network. Its images are in the user's cache, so that base image and layers
survive `amlite reset`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from amlite.core import private_folder
from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import OWNER_VARIABLE, Child
from amlite.core.runtime import cache_folder
from amlite.tools import docker_engine

NAME = "dockerd"
_SLOTS = 16


@dataclass(frozen=True)
class Engine:
    """A running engine at `host` (a value of DOCKER_HOST), and the Docker client program.

    A private engine is a child of amlite and has no network.
    """

    host: str
    client: str
    private: bool


@dataclass
class _Starting:
    """Images that are built at the same time start one daemon, which refuses to be tidied twice at once."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def ensure(platform: Platform, say: Callable[[str], None] | None = None) -> Engine:
    """Return an engine that answers: the machine's own, otherwise a private daemon, installed and started if necessary.

    Containers that callers run must carry `owner_environment`, so that they always end with amlite.
    Raises StartError if this machine cannot have an engine, or if the private one does not start.
    """
    folder = private_folder.ensure(platform.state)
    client = shutil.which("docker") or "docker"
    private = Engine(f"unix://{folder}/docker.sock", client, private=True)
    if any(child.name == NAME for child in platform.children.list()):
        return private
    found = await docker_engine.TOOL.ensure(say)
    if docker_engine.is_address(found):
        return Engine(found, client, private=False)

    async def answers(_: Child) -> bool:
        return await asyncio.to_thread(_answers, private.host)

    async with platform.part(_Starting).lock:
        if not any(child.name == NAME for child in platform.children.list()):
            # The slot is chosen when the daemon starts. A running daemon holds its slot.
            # Proxy and certificates: commands can pull from `*.azurecr.io` by the registry's own name.
            await platform.children.ensure(
                NAME,
                lambda _: _command(found, folder, private.host),
                ready=answers,
                environment={**os.environ, **platform.environment},
            )
            await asyncio.to_thread(_tidy, private.host)
    return private


def owner_environment(state: Path) -> dict[str, str]:
    """The environment variable that marks amlite's containers, so that it finds them even after it was killed."""
    return {OWNER_VARIABLE: str(state)}


def _command(daemon: str, folder: Path, host: str) -> list[str | Path]:
    (folder / "docker.pid").unlink(missing_ok=True)
    slot = _free_slot()
    return [
        # Two amlites cannot share a data folder. The lock is the daemon's, so it ends with the daemon.
        *("flock", "--nonblock", "--no-fork", slot / "lock"),
        daemon,
        *(
            "--host",
            host,
            "--data-root",
            slot / "data",
            "--exec-root",
            folder / "run",
            "--pidfile",
            folder / "docker.pid",
        ),
        *("--config-file", _configuration(folder)),
        *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--log-level", "warn"),
    ]


def _configuration(folder: Path) -> Path:
    """An empty configuration, so that the machine's /etc/docker/daemon.json is not taken for ours."""
    path = folder / "daemon.json"
    path.write_text("{}\n", "utf-8")
    return path


def _free_slot() -> Path:
    """A data folder in the user's cache that no daemon uses now; the first one whenever it is free."""
    cache = cache_folder() / "docker"
    for number in range(_SLOTS):
        slot = cache / str(number)
        slot.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (slot / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if os.path.ismount(slot / "data"):
                # Left by a killed daemon. The next daemon would treat it as another owner's and not remove it.
                subprocess.run(["umount", "--recursive", "--lazy", slot / "data"], check=False, capture_output=True)
            return slot
    raise StartError(f"all {_SLOTS} data folders in {cache} are in use: stop other amlites (amlite stop)")


def _answers(host: str) -> bool:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.DockerClient(base_url=host, timeout=5)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


def _tidy(host: str) -> None:
    """Remove the containers that an earlier daemon left in the data folder. None of them is needed."""
    import docker

    client = docker.DockerClient(base_url=host, timeout=60)
    try:
        client.containers.prune()
    finally:
        client.close()
