"""The locks that Pulumi's own backends keep on a stack, and whether the process that holds one still runs.

A file in the backend is a lock. It contains the process id, the user, the host and the time (pulumi/pulumi,
pkg/backend/diy/lock.go). A killed engine leaves it. The error about a locked stack repeats the content of each lock.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil

_LOCK = re.compile(
    r"^\s*(?P<url>\S+): created by (?P<user>.+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<time>\S+)\s*$", re.MULTILINE
)
_FOLDER = "locks"
# An engine writes its lock in less time.
_WRITTEN_SECONDS = 5.0


@dataclass(frozen=True)
class Lock:
    """A lock on a stack.

    Attributes:
        url: Its file in the backend.
        user: The user who runs the engine.
        host: The machine's host name.
        pid: The engine's process id on that machine.
        time: When the engine took the lock.
    """

    url: str
    user: str
    host: str
    pid: int
    time: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}) at {self.time}"

    @property
    def here(self) -> bool:
        """Whether the holder ran on this machine."""
        return self.host == socket.gethostname()

    @property
    def abandoned(self) -> bool:
        """Whether the holder ran on this machine, and no engine has its process id any more."""
        if not self.here:
            return False
        try:
            process = psutil.Process(self.pid)
            return process.status() == psutil.STATUS_ZOMBIE or "pulumi" not in process.name()
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False

    def file(self, backend: str) -> Path | None:
        """Return the file of the lock, or None if a backend is elsewhere or has no such file.

        The name of a user is a part of the engine's error, and can look like another lock with any file.
        """
        file, folder = _path(self.url), _path(backend)
        if file is None or folder is None or not file.is_file():
            return None
        return file if file.resolve().is_relative_to(_locks(folder).resolve()) else None


def locks_in(error: str) -> list[Lock]:
    """Return the locks that an engine's error lists. Pulumi Cloud lists none."""
    return [
        Lock(each["url"], each["user"], each["host"], int(each["pid"]), each["time"]) for each in _LOCK.finditer(error)
    ]


def remove(file: Path) -> None:
    """Delete the file of a lock, and the one with its attributes, which the backend keeps beside it."""
    file.unlink(missing_ok=True)
    file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)


def discard_unwritten(path: Path) -> None:
    """Delete the lock that an engine could not write. Without its content, every later engine fails to read it."""
    if _FOLDER in path.parts and path.suffix == ".tmp":
        path.unlink(missing_ok=True)


def unwritten(backend: str) -> list[Path]:
    """Return the locks without content in a backend on this machine, which engines left when the disk was full."""
    folder = _path(backend)
    if folder is None:
        return []
    oldest, files = time.time() - _WRITTEN_SECONDS, _locks(folder).rglob("*.tmp")
    return [each for each in files if each.stat().st_size == 0 and each.stat().st_mtime < oldest]


def _path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(f"{parts.netloc}{parts.path}")).expanduser() if parts.scheme == "file" else None


def _locks(backend: Path) -> Path:
    return backend / ".pulumi" / _FOLDER
