"""The distribution registry as a child process: it keeps all images, each under the name of its Azure registry.

Its folder lies in the state folder. Layers are kept in the user's cache besides, under the hash of their content: to
compress and send them again is most of what a push takes.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import uuid
from pathlib import Path

from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.core.runtime import cache_folder
from amlite.tools import container_registry

NAME = "docker-registry"
_DIGEST = re.compile(r"sha256:(?P<start>[0-9a-f]{2})[0-9a-f]{62}")
_DATA = Path("docker") / "registry" / "v2"


async def ensure(platform: Platform) -> Child:
    """Return the running registry; raises StartError where none can be had."""
    program = await container_registry.TOOL.ensure()
    return await platform.children.ensure(NAME, lambda port: [program, "serve", _configuration(platform, port)])


async def remove(platform: Platform, registry: str) -> None:
    """Forget the repositories of a registry. Their layers stay until `amlite reset`: others may share them."""
    # The registry keeps nothing in memory that this could contradict, so it need not be stopped for it.
    folder = _root(platform) / _DATA / "repositories" / registry
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def keep(platform: Platform, digest: str) -> None:
    """Put a layer that was just pushed into the cache."""
    place = _place(digest)
    if place is not None:
        _copy(_root(platform) / _DATA / place, _cache() / place)


def adopt(platform: Platform, repository: str, digest: str) -> None:
    """Make a layer that is here or in the cache part of a repository, so that the client need not send it.

    The registry does the same when a client asks to mount a layer from another repository; a client asks for that only
    if it remembers one, which none can after a reset.
    """
    place = _place(digest)
    if place is None or ".." in repository:
        return
    blob = _root(platform) / _DATA / place
    if blob.is_file() or _copy(_cache() / place, blob):
        link = _root(platform) / _DATA / "repositories" / repository / "_layers" / "sha256" / place.parent.name / "link"
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary = link.with_name(f"link.{uuid.uuid4().hex}")
            temporary.write_text(digest, "ascii")
            temporary.replace(link)


def _place(digest: str) -> Path | None:
    """Where distribution keeps the content of that digest, below its data folder."""
    match = _DIGEST.fullmatch(digest)
    value = digest.partition(":")[2]
    return Path("blobs") / "sha256" / match["start"] / value / "data" if match else None


def _copy(source: Path, target: Path) -> bool:
    """Give a file a second name, or a copy where that lies on another disk; say whether the source is there."""
    if not source.is_file():
        return False
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"data.{uuid.uuid4().hex}")
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    return True


def _root(platform: Platform) -> Path:
    return platform.state / "registry"


def _cache() -> Path:
    return cache_folder() / "image-layers"


def _configuration(platform: Platform, port: int) -> Path:
    """The registry's configuration file, for a start on `port` (JSON is YAML)."""
    root = _root(platform)
    root.mkdir(mode=0o700, exist_ok=True)
    configuration = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(root)}, "delete": {"enabled": True}},
        # Clients know the registry by other names than this address.
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    path = root / "config.json"
    path.write_text(json.dumps(configuration, indent=2) + "\n", "utf-8")
    return path
