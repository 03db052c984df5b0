"""Errors of set-up, with messages for users."""

from __future__ import annotations

from pathlib import Path


class SetupError(Exception):
    """Set-up cannot continue. The message has the reason, the log file and the fix.

    Args:
        what: The failure, in one line.
        fix: How to fix it, in one line.
        log: The file with the whole output, if any.
    """

    def __init__(self, what: str, *, fix: str, log: Path | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.log = log

    def __str__(self) -> str:
        lines = [self.what]
        if self.log is not None:
            lines.append(f"  log: {self.log}")
        lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user pressed Ctrl-C, or the process received a signal to end, while a phase was running."""
