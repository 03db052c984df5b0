"""The state folder, and what a running amlite writes there for its command line and its children to find."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

VARIABLE = "AMLITE_STATE"
INSIDE = "AMLITE_RUN"
"""Set for commands of `amlite run` and for children: proxy and certificates in the environment are amlite's own."""
BUSY = 75
"""Exit code of a process that found the state folder taken by another (EX_TEMPFAIL)."""


@dataclass(frozen=True)
class Runtime:
    """A running amlite: process id, its start time, proxy port, and the environment for commands."""

    pid: int
    started: float
    proxy_port: int
    environment: dict[str, str]

    @property
    def authority(self) -> Path:
        """The file of amlite's own authority: who speaks to nobody else saves reading the hundreds of the machine."""
        return Path(self.environment["SSL_CERT_FILE"]).with_name("ca.pem")

    @property
    def alive(self) -> bool:
        """Whether that process still runs (and is not another one with its number, or one nobody has waited for)."""
        try:
            process = psutil.Process(self.pid)
            return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - self.started) < 1
        except (psutil.Error, ValueError, TypeError):
            return False


def state_folder() -> Path:
    """Return the state folder: `AMLITE_STATE`, or `.amlite` of the working folder."""
    given = os.environ.get(VARIABLE)
    return Path(given or Path.cwd() / ".amlite").resolve()


def cache_folder() -> Path:
    """Return amlite's folder in the user's cache; every amlite of the user shares it, and a reset keeps it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amlite"


def read(state: Path) -> Runtime | None:
    """Return the amlite that runs on a state folder, or None, also if the file is malformed."""
    try:
        runtime = Runtime(**json.loads((state / "runtime.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return runtime if runtime.alive else None


def write(state: Path, runtime: Runtime) -> None:
    """Publish a running amlite, readable by the owner alone (the environment holds a client secret)."""
    temporary = state / f"runtime.{runtime.pid}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(runtime), file)
    temporary.replace(state / "runtime.json")


def forget(state: Path) -> None:
    """Remove what `write` published."""
    (state / "runtime.json").unlink(missing_ok=True)
