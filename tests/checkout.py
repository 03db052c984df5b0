"""The working tree as a fresh clone in a folder of its own, used the way a newcomer does: with make and a shell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from amlite.core.processes import OWNER_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
# Few commands take longer; one that hangs must not hang its caller.
_LONGEST_SECONDS = 900.0
# As it was before any fixture pointed this process to a local Azure.
_ENVIRONMENT = dict(os.environ)
_OURS = ("AMLITE_", "ARM_", "AZURE_", "PULUMI_")


class CommandError(AssertionError):
    """A command ended otherwise than expected; the message has what it printed."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what an activated clone, `amlite run` or a cloud login adds to it."""
    environment = {name: value for name, value in _ENVIRONMENT.items() if not name.startswith(_OURS)}
    folders = _ENVIRONMENT.get("PATH", os.defpath).split(os.pathsep)
    environment["PATH"] = os.pathsep.join(folder for folder in folders if Path(folder) != ROOT / ".venv" / "bin")
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        environment.pop(name, None)
    return {**environment, "NO_COLOR": "1"}


@dataclass(frozen=True)
class Checkout:
    """A fresh clone at `root`; commands run there in `environment`."""

    root: Path
    environment: dict[str, str] = field(default_factory=clean_environment)

    @property
    def state(self) -> Path:
        """The state folder of its local Azure."""
        return self.root / ".amlite"

    def run(self, command: str, expect: int = 0, seconds: float = _LONGEST_SECONDS) -> str:
        """Run a shell command in the clone and return what it printed, errors included. It may take `seconds`.

        Raises:
            CommandError: its exit code is not `expect`.
        """
        # Its own session, so that a command that is given up takes along what it started.
        process = subprocess.Popen(  # noqa: S602 -- running a line of the documentation is the purpose
            command, shell=True, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        if process.returncode != expect:
            raise CommandError(f"`{command}` ended with {process.returncode}, not {expect}:\n{output}")
        return output

    def leftovers(self) -> list[str]:
        """Return the command line of every process that its local Azure started and that still runs."""
        found = []
        for process in psutil.process_iter():
            try:
                owned = process.environ().get(OWNER_VARIABLE) == str(self.state)
                if owned and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue  # ended meanwhile, or somebody else's
        return found


@contextmanager
def checkout(folder: Path) -> Iterator[Checkout]:
    """Copy every file that git knows or would add into `folder`; at the end stop what runs there and delete it."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    clone = Checkout(folder.resolve())
    clone.run("git init --quiet")
    try:
        yield clone
    finally:
        if (clone.root / ".venv" / "bin" / "amlite").exists():
            clone.run(".venv/bin/amlite stop")
        shutil.rmtree(folder)
