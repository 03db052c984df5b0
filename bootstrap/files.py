"""Atomic writes, so that set-up can run again after an interruption."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file's content atomically. Do nothing if it has this content already.

    Args:
        path: The file. Its folder is created if it is missing.
        text: The new content.
        mode: The permissions.
    """
    if path.is_file() and not path.is_symlink() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).chmod(mode)
    Path(name).replace(path)


def link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`. Replace an existing file or link."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Create a directory that gets its name only if the block ends without an error.

    Args:
        path: The final name. An existing directory of that name, or an unfinished one beside it, is removed.

    Yields:
        The directory to fill, on the same file system.
    """
    for each in path.parent.glob(f"{path.name}.unfinished*"):
        shutil.rmtree(each, ignore_errors=True)
    # The number, because a program of a killed set-up may still write to the earlier one.
    unfinished = path.with_name(f"{path.name}.unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True)
    yield unfinished
    if path.exists():
        shutil.rmtree(path)
    unfinished.replace(path)


def digest(*parts: bytes | str) -> str:
    """Return a short name for content: the first 16 hexadecimal digits of the SHA-256 of all parts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]
