"""The state folder, and the data that a running amlite writes there for its command line and its children."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from amlite.core import disk
from amlite.core.store import DATABASE

VARIABLE = "AMLITE_STATE"
INSIDE = "AMLITE_RUN"
"""Set for commands of `amlite run` and for children. It marks that proxy and certificates are amlite's own."""
BUSY = 75
"""The exit code if another process has the state folder (EX_TEMPFAIL)."""
_STATES = "states"


@dataclass(frozen=True)
class Runtime:
    """A running amlite: process id, its start time, proxy port, and the environment for commands."""

    pid: int
    started: float
    proxy_port: int
    environment: dict[str, str]

    @property
    def authority(self) -> Path:
        """The file of amlite's own authority. A client of amlite needs none of the machine's hundreds of others."""
        return Path(self.environment["SSL_CERT_FILE"]).with_name("ca.pem")

    @property
    def alive(self) -> bool:
        """Whether that process still runs. Another process with its id, or a zombie, does not count."""
        try:
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 1
        except (psutil.Error, ValueError, TypeError):
            return False


def state_folder() -> Path:
    """Return the state folder: `AMLITE_STATE`, or `.amlite` of the working folder."""
    return (Path(given) if (given := os.environ.get(VARIABLE)) else default_folder()).resolve()


def default_folder() -> Path:
    """Return `.amlite` of the working folder, which may be a link."""
    return Path.cwd() / ".amlite"


def cache_folder() -> Path:
    """Return amlite's folder in the user's cache. All amlites of the user share it, and a reset does not delete it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amlite"


def foreign_cache() -> str | None:
    """Return the message if the cache is of another user, whose programs amlite would run as this one.

    Root is trusted. A folder of this user that is open to others, as after `umask 0`, is closed to them.
    """
    folder = cache_folder()
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    except PermissionError:
        found = None
    if found is not None and found.st_uid == os.geteuid():
        if found.st_mode & stat.S_IWOTH:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~stat.S_IRWXO)
        return None
    if found is not None and found.st_uid == 0 and not found.st_mode & stat.S_IWOTH and os.access(folder, os.X_OK):
        return None
    return f"amlite does not use {folder}: it belongs to another user; set XDG_CACHE_HOME to a folder that you make"


def remember(state: Path) -> None:
    """Note a state folder in the user's cache, for `others` and `foreign`."""
    file = _note(state)
    with contextlib.suppress(OSError):  # a cache that cannot be written
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(state), "utf-8")


def foreign(state: Path) -> str | None:
    """Return the message for a state that comes from elsewhere, as one in a project: a start would run its jobs.

    amlite closes its folders, and a version control makes open ones. Some disks have no permissions.
    """
    if not (state / DATABASE).exists() or not stat.S_IMODE(state.stat().st_mode) & 0o077 or _note(state).exists():
        return None
    return (
        f"amlite does not use {state}: it is open to other users, so no amlite left it here. "
        f"Delete it, unless it is your own: chmod 700 {state}"
    )


def _note(state: Path) -> Path:
    return cache_folder() / _STATES / hashlib.sha256(os.fsencode(state)).hexdigest()[:32]


def others(state: Path) -> list[Path]:
    """Return the state folders of the user's other amlites, which may not run."""
    found = []
    for file in sorted((cache_folder() / _STATES).glob("*")):
        with contextlib.suppress(OSError, ValueError):
            other = Path(file.read_text("utf-8"))
            if not other.is_dir():
                file.unlink()
            elif other != state:
                found.append(other)
    return found


def read(state: Path) -> Runtime | None:
    """Return the amlite that runs on a state folder. Return None if none of this user runs or the file is malformed.

    The file in the copy of a folder is that of the amlite on the original, which has nothing to do with the copy.
    """
    try:
        if not disk.is_own(state):
            return None
        runtime = Runtime(**json.loads((state / "runtime.json").read_text("utf-8")))
        is_of_it = runtime.environment.get(VARIABLE) == str(state.resolve())
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return runtime if is_of_it and runtime.alive else None


def write(state: Path, runtime: Runtime) -> None:
    """Write the data of a running amlite. Only the owner can read it, because it contains a client secret."""
    temporary = state / f"runtime.{runtime.pid}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(runtime), file)
    temporary.replace(state / "runtime.json")


def forget(state: Path) -> None:
    """Remove the file of `write`."""
    (state / "runtime.json").unlink(missing_ok=True)
