"""The distribution registry as a child process: it keeps all images, each under the name of its Azure registry."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

from amlite.children import Child, tool
from amlite.errors import StartError
from amlite.platform import Platform

NAME = "docker-registry"


async def ensure(platform: Platform) -> Child:
    """Return the running registry; raises StartError where set-up found none."""
    binary = tool(NAME)
    if binary is None:
        raise StartError(
            "the container registry is not installed (docker-registry is not in .venv/bin); run: make setup"
        )
    return await platform.children.ensure(NAME, lambda port: [binary, "serve", _configuration(platform, port)])


async def remove(platform: Platform, registry: str) -> None:
    """Forget the repositories of a registry. Their layers stay until `amlite reset`: others may share them."""
    # The registry keeps nothing in memory that this could contradict, so it need not be stopped for it.
    repositories = _storage(platform) / "docker" / "registry" / "v2" / "repositories" / registry
    await asyncio.to_thread(shutil.rmtree, repositories, ignore_errors=True)


def _storage(platform: Platform) -> Path:
    return platform.state / "registry"


def _configuration(platform: Platform, port: int) -> Path:
    """The registry's configuration file, for a start on `port` (JSON is YAML)."""
    folder = _storage(platform)
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "config.json"
    configuration = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}, "delete": {"enabled": True}},
        # Clients know the registry by other names than this address.
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    path.write_text(json.dumps(configuration, indent=2) + "\n", "utf-8")
    return path
