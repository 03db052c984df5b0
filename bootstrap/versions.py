"""Versions of programs."""

from __future__ import annotations

import re

Version = tuple[int, int, int]


def version_in(text: str) -> Version | None:
    """Find the first version number in a program's output.

    Returns:
        (major, minor, patch), with 0 for a missing patch. None if there is no version number.
    """
    match = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3] or 0)


def dotted(version: Version) -> str:
    """Return a version as text, such as `1.2.3`."""
    return ".".join(str(part) for part in version)
