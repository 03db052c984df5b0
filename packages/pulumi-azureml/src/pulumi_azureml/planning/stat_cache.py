"""Digests of files that have not changed since they were last read, kept outside the repository.

An entry is valid while the size, inode and both times are the same. As in git's index, a file that changed in
the last moments before it was read is not entered: a second change could leave the same times behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

_FORMAT = 1
# Longer than the coarsest timestamp resolution of any common file system (FAT: 2 s).
_SETTLED_NS = 2_500_000_000

Stamp = list[int]


class StatCache:
    """Digests by absolute path. Losing the cache costs time, never correctness. A read-only folder is ignored.

    Args:
        file: the cache file, or None for a cache in memory only.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._entries: dict[str, tuple[Stamp, str]] = {}
        self._changed = False
        self._loaded = False

    @classmethod
    def for_root(cls, cache_folder: Path, root: Path) -> StatCache:
        """The cache of one project in the user's cache folder."""
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        return cls(cache_folder / f"files-{name}.json")

    def get(self, path: str, stamp: Stamp) -> str | None:
        """The digest, if the file has not changed."""
        if not self._loaded:
            self._load()
        entry = self._entries.get(path)
        return entry[1] if entry is not None and entry[0] == stamp else None

    def put(self, path: str, stamp: Stamp, digest: str) -> None:
        """Store a digest. `stamp` was taken before the file was read."""
        if time.time_ns() - max(stamp[1], stamp[2]) > _SETTLED_NS:
            self._entries[path] = (stamp, digest)
            self._changed = True

    def save(self) -> None:
        """Write the cache atomically if it has new entries."""
        if not self._changed or self._file is None:
            return
        with contextlib.suppress(OSError):
            write_whole(self._file, json.dumps({"format": _FORMAT, "files": self._entries}, separators=(",", ":")))
        self._changed = False

    def _load(self) -> None:
        self._loaded = True
        if self._file is None:
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = json.loads(self._file.read_bytes())
            if document["format"] == _FORMAT:
                self._entries = {path: (stamp, str(digest)) for path, (stamp, digest) in document["files"].items()}


def stamp_of(status: os.stat_result) -> Stamp:
    """The file attributes that must match for a file to count as unchanged."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def write_whole(file: Path, text: str) -> None:
    """Write a file atomically: a reader sees the old text or the new text, never a part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
