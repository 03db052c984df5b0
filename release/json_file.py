"""Reads and writes the JSON files that one command of the release passes to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from release import whole_file
from release.errors import ReleaseError


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it. A reader sees the old file or the new one.

    Raises:
        ReleaseError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReleaseError(f"cannot write {path}: {error.strerror}") from error
    whole_file.replace(path, f"{text}\n")


def read(path: Path, fix: str) -> Any:
    """Return the content of a file.

    Args:
        path: The file.
        fix: What to do if it cannot be read.

    Raises:
        ReleaseError: The file does not exist, or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ReleaseError(f"cannot read {path}: {error.strerror}", fix=fix) from error
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{path} is not JSON: {error}", fix=fix) from error
