"""Writes a file as a whole: a full disk or a kill leaves the old file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from release.errors import ReleaseError


def replace(path: Path, text: str) -> None:
    """Write a file, which keeps its mode. A reader sees the old file or the new one. A pipe or a device gets the text.

    Raises:
        ReleaseError: The file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8")
            return
        path = path.resolve()
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        new.unlink(missing_ok=True)  # a link, which would be written through
        try:
            new.write_text(text, "utf-8")
            if path.exists():
                shutil.copymode(path, new)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise _failed(path, error) from error


def restore(path: Path, content: bytes) -> None:
    """Write what a file had before, over what it has now: its locks stay, and it needs no more space than it had.

    Raises:
        ReleaseError: The file cannot be written.
    """
    try:
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
    except OSError as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: OSError) -> ReleaseError:
    fix = "free space there, and restore the file from git if it was cut: git checkout FILE"
    return ReleaseError(f"cannot write {path}: {error.strerror}", fix)
