"""The progress of set-up: one line for each finished phase, and one moving line for the running phases."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from typing import Self, TextIO


def duration(seconds: float) -> str:
    """Format a time for users: `0.4 s`, `31 s`, `4 min 02 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


class Progress:
    """Shows phases on a terminal. Without a terminal, writes plain lines without control characters.

    Args:
        stream: The stream to write to.
        quiet_seconds: Without a terminal, the interval between lines that list the running phases.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self, stream: TextIO, *, quiet_seconds: float = 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._active: dict[str, tuple[float, str]] = {}
        self._mentioned = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._clear()

    def start(self, title: str) -> None:
        """Show that a phase starts."""
        with self._lock:
            self._active[title] = (self._clock(), "")
            if not self._terminal:
                self._print(f"  ...     {title}")

    def detail(self, title: str, text: str) -> None:
        """Show the current step of a phase."""
        with self._lock:
            if title in self._active:
                self._active[title] = (self._active[title][0], text)

    def end(self, title: str, mark: str, text: str) -> None:
        """Show that a phase has ended.

        Args:
            title: The phase.
            mark: One word: `done`, `failed`, `stopped`.
            text: Its result.
        """
        with self._lock:
            started, _ = self._active.pop(title, (self._clock(), ""))
            self._print(f"  {mark:<8}{title:<20}{duration(self._clock() - started):>13}  {text}")

    def say(self, text: str) -> None:
        """Show a permanent line."""
        with self._lock:
            self._print(text)

    def _print(self, line: str) -> None:
        self._clear()
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _clear(self) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _tick(self) -> None:
        while not self._stop.wait(0.2):
            with self._lock:
                self.show()

    def show(self) -> None:
        """Show the running phases, as often as the stream allows."""
        now = self._clock()
        parts = [
            f"{title} {duration(now - started)}{f': {text}' if text else ''}"
            for title, (started, text) in self._active.items()
        ]
        if not parts:
            return
        if self._terminal:
            width = shutil.get_terminal_size().columns - 11
            self._stream.write(f"\r\x1b[K  ...   {' | '.join(parts)[:width]}")
            self._stream.flush()
        elif now - self._mentioned >= self._quiet_seconds:
            self._mentioned = now
            self._print(f"  ...     {' | '.join(parts)}")
