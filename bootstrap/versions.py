"""Comparing versions of programs."""

from __future__ import annotations

import re

Version = tuple[int, int, int]


def version_in(text: str) -> Version | None:
    """The first version number in a program's output.

    Returns:
        (major, minor, patch), a missing patch counted as 0; None when there is no number like that.
    """
    match = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3] or 0)


def dotted(version: Version) -> str:
    """`1.2.3`."""
    return ".".join(str(part) for part in version)
