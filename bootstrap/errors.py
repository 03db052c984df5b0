"""What a person is told when set-up cannot go on."""

from __future__ import annotations

from pathlib import Path


class SetupError(Exception):
    """Set-up cannot go on; says what failed, where the details are and what to do.

    Args:
        what: What failed, in one line.
        fix: What the reader can do about it, in one line.
        log: The file with the whole output, when there is one.
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
    """The user pressed Ctrl-C (or the process was told to end) while a phase was at work."""
