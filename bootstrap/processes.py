"""Run the programs of set-up. Their output goes to a log, and an interruption of set-up ends them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bootstrap.errors import Interrupted, SetupError


def reason_in(lines: Sequence[str]) -> str:
    """Return the most informative line of a failed program's output: the first that contains "error", else the last."""
    told = [line.strip() for line in lines if line.strip()]
    errors = (line for line in told if re.search(r"\berror\b", line, re.IGNORECASE))
    return next(errors, told[-1] if told else "no output")


class Processes:
    """The running programs. Safe for use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[subprocess.Popen[str], float] = {}
        self._interrupted = threading.Event()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        fix: str,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        seconds: float | None = None,
        grace: float = 5.0,
    ) -> str:
        """Run a program and wait for its end. Its output and errors go to the log.

        Args:
            command: The program and its arguments.
            log: The log file to append to.
            fix: How to fix a failure of the program, for users.
            environment: The whole environment, or None for the environment of this process.
            directory: The working directory.
            on_line: Called with every line of output.
            seconds: The timeout.
            grace: The seconds that the program gets to end after a signal.

        Returns:
            All its output.

        Raises:
            SetupError: The program does not start, exits with a code other than 0, or exceeds the timeout.
            Interrupted: Set-up was interrupted meanwhile.
        """
        words = [str(word) for word in command]
        log.parent.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        with log.open("a", errors="replace") as file:
            file.write(f"$ {' '.join(words)}\n")
            file.flush()
            process = self._start(words, environment, directory, grace)
            late = threading.Event()

            def end() -> None:
                late.set()
                self._end(process, grace)

            timer = threading.Timer(seconds or 0, end)
            if seconds is not None:
                timer.start()
            try:
                # Leaving the block waits for the process and closes the pipe.
                with process:
                    for line in process.stdout or ():
                        file.write(line)
                        file.flush()
                        lines.append(line)
                        if on_line is not None:
                            on_line(line.strip())
                code = process.returncode
            finally:
                timer.cancel()
                with self._lock:
                    del self._running[process]
        if self._interrupted.is_set():
            raise Interrupted
        if code != 0:
            how = f"took longer than {seconds:.0f} s" if late.is_set() else f"ended with code {code}"
            raise SetupError(f"`{' '.join(words)[:120]}` {how}: {reason_in(lines)[:300]}", log=log, fix=fix)
        return "".join(lines)

    def interrupt(self) -> None:
        """End every running program, and do not start others."""
        with self._lock:
            self._interrupted.set()
            running = list(self._running.items())
        for process, grace in running:
            self._end(process, grace)

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` was called."""
        return self._interrupted.is_set()

    def _start(
        self, words: list[str], environment: Mapping[str, str] | None, directory: Path | None, grace: float
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._interrupted.is_set():
                raise Interrupted
            try:
                # In a session of its own, the program does not get Ctrl-C. This process ends the whole group.
                process = subprocess.Popen(
                    words,
                    env=environment,
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                raise SetupError(
                    f"`{words[0]}` does not start: {error}", fix="Is it installed and executable?"
                ) from error
            self._running[process] = grace
            return process

    @staticmethod
    def _end(process: subprocess.Popen[str], grace: float) -> None:
        """Send the program's whole group a signal to end, and kill it after `grace` seconds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return
            try:
                process.wait(timeout=grace)
            except subprocess.TimeoutExpired:
                continue
