"""A lock file that the operating system releases when its holder ends."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def exclusive(path: Path, what: str, *, say: Callable[[str], None] = _say) -> Iterator[None]:
    """Hold a lock file. Wait, with one message, while another process holds it.

    Args:
        path: The lock file. It stays on disk. Only a running process can hold the lock.
        what: The other process's work, for the message.
        say: Prints the message.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip()
                say(f"{what} is running{f' (process {holder})' if holder else ''}; waiting for it to end ...")
                fcntl.flock(file, fcntl.LOCK_EX)
            # If the folder was removed meanwhile, this process holds a file that no other process finds.
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                continue
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
            return


def run_exclusively(path: Path, what: str, command: Sequence[str]) -> int:
    """Run a command while holding a lock file.

    The terminal sends Ctrl-C to the command, so this process only waits for it.

    Returns:
        The command's exit code, or 128 + the signal's number if a signal ended it.
    """
    with exclusive(path, what):
        process = subprocess.Popen(command)

        def forward(number: int, _frame: object) -> None:
            process.send_signal(number)

        previous = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
            signal.SIGTERM: signal.signal(signal.SIGTERM, forward),
            signal.SIGHUP: signal.signal(signal.SIGHUP, forward),
        }
        try:
            code = process.wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    return code if code >= 0 else 128 - code
