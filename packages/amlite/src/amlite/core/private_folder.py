"""The folders of an amlite outside of its state, for its user only: of its sockets, and of its programs' files.

A socket's path has 107 characters at most, so its folder is on a short one, which may be in memory. Files are on the
disk. The names are random, so that nobody can make them before. Links in the state folder lead to them. A folder that
is not private any more is not used again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from amlite.core import disk

SOCKETS, FILES = "run", "tmp"
"""The kinds of folders, and the names of the links."""
_OWNER = "owner.json"
_PREFIX = "amlite-"
_LONGEST_BASE = 50
_MOUNTS = Path("/proc/self/mounts")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def ensure(state: Path, kind: str = SOCKETS) -> Path:
    """Return a private folder of a state folder, and make it if necessary."""
    found = find(state, kind)
    if found is None:
        (state / kind).unlink(missing_ok=True)
        found = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=bases()[0 if kind == SOCKETS else -1]))
        (state / kind).symlink_to(found)
    owner = {"state": str(state), "pid": os.getpid(), "started": psutil.Process().create_time()}
    (found / _OWNER).write_text(json.dumps(owner), "utf-8")
    return found


def find(state: Path, kind: str = SOCKETS) -> Path | None:
    """Return a private folder of a state folder, or None if there is none.

    A state folder can come from elsewhere, for example with a project, and its link lead to any folder of this user.
    """
    try:
        found = (state / kind).readlink()
    except OSError:
        return None
    is_made = found.is_absolute() and found.name.startswith(_PREFIX) and is_private(found)
    return found if is_made and _owner(found).get("state") == str(state) else None


def remove(state: Path) -> None:
    """Unmount what is left below the private folders of a state folder, and delete them."""
    for kind in (SOCKETS, FILES):
        found = find(state, kind)
        if found is not None:
            delete(found)
        (state / kind).unlink(missing_ok=True)


def sweep() -> None:
    """Delete the private folders of this user whose state folder is gone and whose amlite has ended."""
    for base in bases():
        for folder in base.glob(f"{_PREFIX}*"):
            if is_private(folder) and _is_left(folder):
                delete(folder)


def bases(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the folders in which private folders can be: the first is that of sockets, and the last that of files."""
    runtime, temporary = Path(environment.get("XDG_RUNTIME_DIR") or "/nonexistent"), Path(tempfile.gettempdir())
    found = [runtime] if is_private(runtime) else []
    return [*found, temporary if len(str(temporary)) <= _LONGEST_BASE else Path("/tmp")]  # noqa: S108


def is_private(folder: Path) -> bool:
    """Whether a folder is this user's, is for nobody else, and is not a link."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077


def _owner(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / _OWNER).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _is_left(folder: Path) -> bool:
    owner = _owner(folder)
    try:
        state, pid, started = Path(owner["state"]), int(owner["pid"]), float(owner["started"])
    except (ValueError, TypeError, KeyError):
        return False
    with contextlib.suppress(psutil.Error):
        if abs(psutil.Process(pid).create_time() - started) < 1:
            return False
    return folder not in (find(state, SOCKETS), find(state, FILES))


def delete(folder: Path) -> None:
    """Unmount what is left below a private folder, and delete it."""
    # What is mounted may be the machine's own: without an unmount, nothing below is deleted.
    for mounted in mounted_below(folder):
        subprocess.run(["umount", "--lazy", mounted], check=False, capture_output=True)
    if not mounted_below(folder):
        disk.delete(folder)


def mounted_below(*folders: Path) -> list[Path]:
    """Return what is mounted below folders, the deepest first."""
    if not _MOUNTS.exists():
        return []
    lines = _MOUNTS.read_text("utf-8").splitlines()
    points = (Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split()[1])) for line in lines)
    return sorted((each for each in points if any(each.is_relative_to(folder) for folder in folders)), reverse=True)
