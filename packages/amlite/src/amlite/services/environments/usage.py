"""The CPU time and the memory that a running program uses."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil

from amlite.core.wire import Json

_NANOSECONDS = 1e9


@dataclass(frozen=True)
class Usage:
    """The CPU seconds since the program started, and the bytes of memory now."""

    cpu_seconds: float
    memory: int


def of_processes(pid: int) -> Usage | None:
    """Return what a process and its descendants use. Return None if the process has ended.

    A process that ended counts at its parent, which waited for it.
    """
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    seconds, memory = 0.0, 0
    for process in family:
        with contextlib.suppress(psutil.Error), process.oneshot():
            seconds += sum(process.cpu_times()[:4])  # its own, and those of its ended children
            memory += process.memory_info().rss
    return Usage(seconds, memory)


def of_container(stats: Json) -> Usage | None:
    """Return what a container uses, from an engine's statistics. Return None if the engine has none.

    Files that the kernel may drop are no memory in use, as in `docker stats`.
    """
    processor, memory = stats.get("cpu_stats") or {}, stats.get("memory_stats") or {}
    nanoseconds, used = (processor.get("cpu_usage") or {}).get("total_usage"), memory.get("usage")
    if not nanoseconds or not used:
        return None
    files = memory.get("stats") or {}
    inactive = files.get("inactive_file", files.get("total_inactive_file", 0))
    return Usage(nanoseconds / _NANOSECONDS, max(0, used - inactive))
