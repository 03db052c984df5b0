"""Installing packages on Debian and Ubuntu without starting what they bring."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bootstrap.errors import SetupError
from bootstrap.phases import Task

APT_FIX = "Run `apt-get update && apt-get install docker.io docker-registry debootstrap` by hand to see why."
POLICY = Path("/usr/sbin/policy-rc.d")
UNITS = Path("/lib/systemd/system")


def is_debian(os_release: Path = Path("/etc/os-release")) -> bool:
    """Whether this is Debian or Ubuntu, or made from one of them."""
    try:
        text = os_release.read_text()
    except OSError:
        return False
    entries = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    family = f"{entries.get('ID', '')} {entries.get('ID_LIKE', '')}".replace('"', "").split()
    return bool({"debian", "ubuntu"} & set(family)) and shutil.which("apt-get") is not None


@contextmanager
def no_new_daemons(policy: Path = POLICY) -> Iterator[None]:
    """Keep package scripts from starting daemons, in the way Debian provides for it.

    A policy that the machine has already stays as it is.
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


def install_packages(task: Task, packages: Sequence[str]) -> None:
    """Install packages for their programs: without their recommendations, and without running their daemons.

    Raises:
        SetupError: apt-get failed.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    task.detail("apt-get update")
    try:
        task.run(["apt-get", "update"], fix=APT_FIX, environment=environment)
    except SetupError as error:
        # One unreachable third-party source must not stop us; what we need is in the main one.
        task.detail(error.what[:80])
    task.detail(f"downloading {', '.join(packages)}")
    task.run([*install, "--download-only", *packages], fix=APT_FIX, environment=environment)
    task.detail(f"installing {', '.join(packages)}")
    with no_new_daemons():
        # Interrupted in the middle, dpkg would need a repair by hand.
        before = set(UNITS.iterdir()) if UNITS.is_dir() else set()
        task.run([*install, *packages], fix=APT_FIX, environment=environment, finish=True)
        after = set(UNITS.iterdir()) if UNITS.is_dir() else set()
    new = sorted(
        unit.name for unit in after - before if unit.suffix in {".service", ".socket"} and "@" not in unit.name
    )
    if new and shutil.which("systemctl") is not None:
        # Nor after the next boot.
        now = ["--now"] if Path("/run/systemd/system").is_dir() else []
        task.run(["systemctl", "disable", *now, *new], fix=APT_FIX, finish=True)
