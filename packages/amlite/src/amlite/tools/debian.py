"""Install packages on Debian and Ubuntu without starting their daemons."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from amlite.core.locking import locked
from amlite.tools.base import Task, ToolError, tools_folder

POLICY = Path("/usr/sbin/policy-rc.d")
UNITS = Path("/lib/systemd/system")


def is_debian(os_release: Path = Path("/etc/os-release")) -> bool:
    """Whether this is Debian, Ubuntu or a derivative."""
    try:
        text = os_release.read_text()
    except OSError:
        return False
    entries = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    family = f"{entries.get('ID', '')} {entries.get('ID_LIKE', '')}".replace('"', "").split()
    return bool({"debian", "ubuntu"} & set(family)) and shutil.which("apt-get") is not None


def why_not() -> str | None:
    """Return why packages cannot be installed, or None if they can."""
    if os.geteuid() != 0:
        return "only root can install one"
    if not is_debian():
        return "amlite installs one on Debian and Ubuntu only"
    return None


@contextmanager
def no_new_daemons(policy: Path) -> Iterator[None]:
    """Prevent package scripts from starting daemons, with Debian's policy file.

    An existing policy is not changed.
    """
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


async def install(task: Task, packages: Sequence[str]) -> None:
    """Install packages for their programs: without their recommendations, and without running their daemons.

    Raises ToolError when apt-get fails.
    """
    names = ", ".join(packages)
    fix = f"Run `apt-get update && apt-get install {' '.join(packages)}` to see why."
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    async with locked(tools_folder() / "apt.lock", lambda: task.say("waiting for another installation")):
        task.say(f"downloading {names}")
        download = [*command, "--download-only", *packages]
        try:
            await task.run(download, fix=fix, environment=environment)
        except ToolError:
            # The package lists are missing or old.
            task.say("apt-get update")
            with suppress(ToolError):  # a third-party source is unreachable, but the packages are in the main one
                await task.run(["apt-get", "update"], fix=fix, environment=environment)
            task.say(f"downloading {names}")
            await task.run(download, fix=fix, environment=environment)
        task.say(f"installing {names}")
        with no_new_daemons(POLICY):
            before = _units()
            # An interrupted dpkg needs a manual repair.
            await task.run([*command, *packages], fix=fix, environment=environment, finish=True)
            new = sorted(_units() - before)
        if new and shutil.which("systemctl") is not None:
            # Also not after the next boot.
            await task.run(["systemctl", "disable", *_now(), *new], fix=fix, finish=True)


def _now() -> list[str]:
    """Return the option that stops a unit, too, where systemd runs."""
    return ["--now"] if Path("/run/systemd/system").is_dir() else []


def _units() -> set[str]:
    if not UNITS.is_dir():
        return set()
    return {unit.name for unit in UNITS.iterdir() if unit.suffix in {".service", ".socket"} and "@" not in unit.name}
