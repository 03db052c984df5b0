"""The distribution registry as a child process. It stores all images, each below the name of its Azure registry.

Its folder is in the state folder. The user's cache also has the layers, by the hash of their content, because a push
spends most of its time compressing and sending them.
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
    """Return the running registry. Raises StartError if it cannot start."""
    program = await container_registry.TOOL.ensure()
    return await platform.children.ensure_at_socket(
        NAME, lambda socket: [program, "serve", _configuration(platform, socket)]
    )


def repository(platform: Platform, name: str) -> Path:
    """Return the folder of a registry or of a repository (`<registry>/<name>`), which exists after a push."""
    return _root(platform) / _DATA / "repositories" / name


async def remove(platform: Platform, registry: str) -> None:
    """Remove the repositories of a registry. Their layers stay until `amlite reset`, because others may share them."""
    # The registry has no conflicting data in memory, so it does not have to stop.
    await asyncio.to_thread(shutil.rmtree, repository(platform, registry), ignore_errors=True)


def keep(platform: Platform, digest: str) -> None:
    """Copy a pushed layer into the cache."""
    place = _place(digest)
    if place is not None:
        _copy(_root(platform) / _DATA / place, _cache() / place)


def adopt(platform: Platform, name: str, digest: str) -> None:
    """Add a layer from the state or the cache to a repository, so that the client does not have to send it.

    Whoever knows the digest can pull the layer then: this is for callers who may pull all layers. The registry does the
    same if a client asks to mount a layer from another repository. A client asks only if it remembers the layer, which
    is never the case after a reset.
    """
    place = _place(digest)
    if place is None or ".." in name:
        return
    blob = _root(platform) / _DATA / place
    if blob.is_file() or _copy(_cache() / place, blob):
        link = repository(platform, name) / "_layers" / "sha256" / place.parent.name / "link"
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary = link.with_name(f"link.{uuid.uuid4().hex}")
            temporary.write_text(digest, "ascii")
            temporary.replace(link)


def _place(digest: str) -> Path | None:
    """Return the path of a digest's content below distribution's data folder."""
    match = _DIGEST.fullmatch(digest)
    value = digest.partition(":")[2]
    return Path("blobs") / "sha256" / match["start"] / value / "data" if match else None


def _copy(source: Path, target: Path) -> bool:
    """Create a hard link to a file, or a copy on another disk. Return whether the source exists."""
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


def _configuration(platform: Platform, socket: Path) -> Path:
    """Return the registry's configuration file for `socket` (JSON is YAML)."""
    root = _root(platform)
    root.mkdir(mode=0o700, exist_ok=True)
    configuration = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(root)}, "delete": {"enabled": True}},
        # Clients use other names for the registry than this address.
        "http": {"net": "unix", "addr": str(socket), "relativeurls": True},
    }
    path = root / "config.json"
    path.write_text(json.dumps(configuration, indent=2) + "\n", "utf-8")
    return path
