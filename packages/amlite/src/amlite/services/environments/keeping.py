"""Which virtual environments stay in the cache that all amlites of a user share.

The lock file of an environment has the time of its last use as its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

import psutil

from amlite.core import disk

_LEAST_FREE_BYTES = 10 << 30
_DAY_SECONDS = 24 * 3600.0
_MONTH_SECONDS = 30 * _DAY_SECONDS


def lock_of(folder: Path) -> Path:
    """Return the lock file of an environment."""
    return folder.with_suffix(".lock")


def is_whole(folder: Path) -> bool:
    """Whether an environment was built to the end."""
    # The interpreter is a link: it may have gone with the Python it was made from.
    return (folder / "bin" / "python").exists()


def use(folder: Path) -> bool:
    """Note that an environment is used. Return False if there is none, or if it is being built or deleted."""
    if not is_whole(folder):
        return False
    try:
        lock = lock_of(folder).open("a")
    except OSError:  # the cache is read-only, as in an image: nobody deletes it
        return True
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        os.utime(lock.fileno())
        return is_whole(folder)


def trim(cache: Path) -> None:
    """Delete the environments that were not used for a month, and more if the disk is short of space: see `_is_due`.

    One that a program runs in stays, and so does one that was used on the last day.
    """
    for gone in cache.glob("*.gone"):  # half deleted, when an amlite was killed
        disk.delete(gone)
    for lock in sorted(cache.glob("*.lock"), key=lambda each: each.stat().st_mtime):
        if not _is_due(lock):
            return
        folder = lock.with_suffix("")
        if folder.is_dir() and not _runs(folder):
            _delete(folder, lock)


def _is_due(lock: Path) -> bool:
    idle = time.time() - lock.stat().st_mtime
    is_short = shutil.disk_usage(lock.parent).free < _LEAST_FREE_BYTES
    return idle > (_DAY_SECONDS if is_short else _MONTH_SECONDS)


def _delete(folder: Path, lock: Path) -> None:
    """Delete an environment, unless it is used or built meanwhile."""
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        if _is_due(lock):
            gone = folder.with_suffix(".gone")
            disk.delete(gone)
            folder.rename(gone)  # at once, because half of an environment would pass for a whole one
            disk.delete(gone)


def _runs(folder: Path) -> bool:
    """Whether a process of this user runs in an environment."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("VIRTUAL_ENV") == str(folder):
                return True
        except psutil.Error:
            continue
    return False
