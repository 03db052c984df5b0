"""Who is at the other end of a loopback connection. Anybody on the machine can connect to a loopback port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

Address = tuple[str, int]
_NAMESPACES = ("net", "pid", "user")
_PROC = Path("/proc/self")


def is_own_process(peer: Address, here: Address) -> bool:
    """Whether a process of this user is at `peer`. Processes in containers are not, whoever their user is."""
    return any(_holds(process, peer, here) for process in _own_processes())


def _own_processes() -> Iterator[psutil.Process]:
    """Return the processes of this user outside containers; Pulumi's first, because they connect most often."""
    found = [process for process in psutil.process_iter(["name", "uids"]) if _is_own(process)]
    yield from sorted(found, key=lambda process: not (process.info["name"] or "").startswith("pulumi"))


def _is_own(process: psutil.Process) -> bool:
    uids = process.info["uids"]
    return uids is not None and uids.real == os.getuid() and _namespaces(process.pid) == _namespaces(os.getpid())


def _namespaces(pid: int) -> list[str] | None:
    try:
        return [str(Path(f"/proc/{pid}/ns/{each}").readlink()) for each in _NAMESPACES]
    except OSError:
        return [] if not _PROC.exists() else None  # without /proc there are no containers either


def _holds(process: psutil.Process, peer: Address, here: Address) -> bool:
    try:
        return any((each.laddr, each.raddr) == (peer, here) for each in process.net_connections("tcp"))
    except psutil.Error:
        return False
