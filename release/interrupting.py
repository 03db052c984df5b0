"""A signal to end does the same as Ctrl-C, so that a command removes or restores what it has begun to write.

The engine is told first, and saves the state: it would be killed by its closed output, with its lock, if the command
did not wait for it.
"""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_SAME_SECONDS = 1.0


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal to end raise KeyboardInterrupt."""
    with _handled(_interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


class Cancellation:
    """Waits at the first signal for the programs that this process has started. A later one is an interruption.

    Another one within a second is the first again: `timeout` and hosts of CI jobs tell a whole group of processes, and
    make in this group passes the signal on.

    Attributes:
        came: Whether there was a signal.
    """

    def __init__(self) -> None:
        """Start without a signal."""
        self.came = False
        self._at = 0.0

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Wait while the block runs."""
        with _handled(self._pass_on, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            yield

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self.came and time.monotonic() - self._at < _SAME_SECONDS:
            return
        # A terminal sends Ctrl-C to all of them. A second one would stop Pulumi before it saves the state.
        if number != signal.SIGINT:
            _tell_children()
        if self.came:
            _silence_threads()
            _interrupt(number, frame)
        self.came, self._at = True, time.monotonic()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _silence_threads() -> None:
    """Hide the errors of Pulumi's threads, which read from the engine until this process ends."""
    threading.excepthook = lambda _failure: None
    warnings.simplefilter("ignore")


def _tell_children() -> None:
    import psutil  # slow to import

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            child.send_signal(signal.SIGINT)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], Any], *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals in a block. One that the caller ignores, as nohup does, stays ignored."""
    is_main = threading.current_thread() is threading.main_thread()  # no other one may handle signals
    handled = [each for each in numbers if is_main and signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, each in before.items():
            signal.signal(number, each)
