"""The locks that Pulumi's own backends keep on a stack, and whether the process that holds one still runs.

A file in the backend is a lock. It contains the process id, the user, the host and the time (pulumi/pulumi,
pkg/backend/diy/lock.go). A killed engine leaves it. The error about a locked stack repeats the content of each lock.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil

_LOCK = re.compile(
    r"^\s*(?P<url>\S+): created by (?P<user>.+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<time>\S+)\s*$", re.MULTILINE
)


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

    @property
    def file(self) -> Path | None:
        """The file of the lock on this machine, or None if the backend is elsewhere."""
        parts = urlsplit(self.url)
        if parts.scheme != "file":
            return None
        file = Path(unquote(f"{parts.netloc}{parts.path}")).expanduser()
        return file if file.is_file() else None


def locks_in(error: str) -> list[Lock]:
    """Return the locks that an engine's error lists. Pulumi Cloud lists none."""
    return [
        Lock(each["url"], each["user"], each["host"], int(each["pid"]), each["time"]) for each in _LOCK.finditer(error)
    ]
