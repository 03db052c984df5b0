"""Hashing a big tree of which most is ignored, beside walking it and hashing what counts without any rules."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

from pulumi_azureml.planning.stat_cache import StatCache
from pulumi_azureml.planning.tree import TreeReader
from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground

_FOLDERS = 100
_COUNT = 50  # files that count, of each folder
_IGNORED = 950
# The cache does not believe a file that changed moments before it was read.
_SETTLED_SECONDS = 3.0


def measure(ground: Ground) -> list[Figure]:
    """Time 100,000 files of which patterns of the same folders ignore 95,000, without and with the cache of digests."""
    root = ground.folder()
    try:
        _write(root / "src")
        time.sleep(_SETTLED_SECONDS)
        cold: list[float] = []
        warm: list[float] = []
        floor: list[float] = []
        for run in range(ground.runs):
            for samples in (cold, warm):
                cache = StatCache(root / f"cache-{run}.json")
                with timed(samples):
                    tree = TreeReader(root, cache).read("src")
                    digest = tree.hash
                    cache.save()
                if len(tree.files) != _FOLDERS * _COUNT or not digest:
                    raise RuntimeError(f"read {len(tree.files)} files instead of {_FOLDERS * _COUNT}")
            with timed(floor):
                _walk(root / "src")
    finally:
        shutil.rmtree(root)
    beside = "a walk that knows which files count"
    return [
        Figure("hashing 100,000 files, 95,000 ignored", cold, "<= 2 s", beside, floor),
        Figure("  nothing changed", warm, "<= 0.3 s", beside, floor),
    ]


def _write(folder: Path) -> None:
    folder.mkdir()
    (folder / ".gitignore").write_text("*.pyc\n*.log\n/build/\n*.tmp\n!keep.tmp\ndist/**\n")
    for number in range(_FOLDERS):
        package = folder / f"package_{number:03d}"
        package.mkdir()
        for file in range(_COUNT):
            (package / f"module_{file:03d}.py").write_text(f"x = {number * _COUNT + file}\n" * 20)
        for file in range(_IGNORED):
            (package / f"module_{file:03d}.pyc").touch()


def _walk(folder: Path) -> None:
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                hashlib.sha256(Path(path, name).read_bytes()).digest()
