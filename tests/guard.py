"""Ends what a test process started once that process is gone, by whatever way: run beside it as `-m tests.guard`.

It waits for the end of its standard input, a pipe that the test process alone holds open. What that process started
carries its mark in the environment; what a local Azure started for it carries that one's mark.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import psutil

from amlite.core.processes import OWNER_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "TESTS_STARTED_BY"
_GRACE_SECONDS = 15.0


def started(mark: str, folder: Path) -> list[psutil.Process]:
    """Return the running processes with this mark, and those owned by a local Azure whose state lies in `folder`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # ended meanwhile, or somebody else's
            environment = process.environ()
            ours = environment.get(VARIABLE) == mark or Path(environment.get(OWNER_VARIABLE, "/")).is_relative_to(
                folder
            )
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end(mark: str, folder: Path) -> list[str]:
    """End those processes with a signal, then kill them, until none is left. Return their command lines."""
    ended = []
    while found := started(mark, folder):
        for process in found:
            with contextlib.suppress(psutil.Error):
                ended.append(" ".join(process.cmdline()))
                process.terminate()
        _, stubborn = psutil.wait_procs(found, timeout=_GRACE_SECONDS)
        for process in stubborn:
            with contextlib.suppress(psutil.Error):
                process.kill()
    return ended


if __name__ == "__main__":
    sys.stdin.read()
    told = "\n".join(end(sys.argv[1], Path(sys.argv[2])))
    with contextlib.suppress(BrokenPipeError):  # whoever was to read it was killed
        print(told, end="", flush=True)
