"""The distribution registry as a child process: it keeps all images, each under the name of its Azure registry.

Its folder lies in the user's cache and is shared by every amlite: layers are named by their content, and compressing
and storing them again is most of what a push takes. Repositories are not shared: each state folder has a namespace of
its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import uuid
from pathlib import Path

from amlite.children import Child, tool
from amlite.errors import StartError
from amlite.platform import Platform

NAME = "docker-registry"
_NAMESPACE = "settings/registry-namespace"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


async def ensure(platform: Platform) -> Child:
    """Return the running registry; raises StartError where set-up found none."""
    binary = tool(NAME)
    if binary is None:
        raise StartError(
            "the container registry is not installed (docker-registry is not in .venv/bin); run: make setup"
        )
    return await platform.children.ensure(NAME, lambda port: [binary, "serve", _configuration(platform, port)])


def namespace(platform: Platform) -> str:
    """The first part of every repository's name of this state folder; a new one after `amlite reset`."""
    saved = platform.store.get(_NAMESPACE)
    if saved is None:
        saved = platform.store.put(_NAMESPACE, "settings", {"name": uuid.uuid4().hex})
    return str(saved.body["name"])


async def remove(platform: Platform, registry: str) -> None:
    """Forget the repositories of a registry. Layers stay in the cache, as Docker's own do."""
    # The registry keeps nothing in memory that this could contradict, so it need not be stopped for it.
    folder = _repositories() / namespace(platform) / registry
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def adopt(repository: str, digest: str) -> bool:
    """Make a layer that is in the cache part of a repository, so that a client need not send it; say whether it is.

    The registry does the same when a client asks to mount a layer from another repository; clients ask for that only
    if they remember one, which they cannot after a reset.
    """
    match = _DIGEST.fullmatch(digest)
    if match is None or ".." in repository:
        return False
    value = match[1]
    if not (_root() / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data").is_file():
        return False
    link = _repositories() / repository / "_layers" / "sha256" / value / "link"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        temporary = link.with_name(f"link.{uuid.uuid4().hex}")
        temporary.write_text(digest, "ascii")
        temporary.replace(link)
    return True


def _root() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "azureml-platform" / "registry"


def _repositories() -> Path:
    return _root() / "docker" / "registry" / "v2" / "repositories"


def _configuration(platform: Platform, port: int) -> Path:
    """The registry's configuration file, for a start on `port` (JSON is YAML)."""
    _root().mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(_root())}, "delete": {"enabled": True}},
        # Clients know the registry by other names than this address.
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    path = platform.state / "docker-registry.json"
    path.write_text(json.dumps(configuration, indent=2) + "\n", "utf-8")
    return path
