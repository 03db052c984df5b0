"""The disk of the state folder: what is wrong with it if amlite cannot write there, and the cure."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from pathlib import Path

CODE = 73
"""The exit code of an amlite that cannot write to its state folder (EX_CANTCREAT)."""

_NEEDED_BYTES = 16 << 20
"""An amlite without a job needs less."""

_ELSEWHERE = "set AMLITE_STATE to a folder on another disk"
_OWN = "set AMLITE_STATE to a folder that you make"
_FULL = f"its disk is full; free space there, or {_ELSEWHERE}"
_READ_ONLY = f"it is read-only; make it writable, or {_ELSEWHERE}"
_REASONS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: f"the disk quota is used up; delete files there, or {_ELSEWHERE}",
    errno.EROFS: _READ_ONLY,
    errno.EACCES: f"you may not write there; change its permissions, or {_ELSEWHERE}",
    errno.EPERM: f"you may not write there; change its permissions, or {_ELSEWHERE}",
}
_SQLITE = {sqlite3.SQLITE_FULL: _FULL, sqlite3.SQLITE_READONLY: _READ_ONLY, sqlite3.SQLITE_CANTOPEN: _READ_ONLY}


def is_own(path: Path) -> bool:
    """Whether a file or folder belongs to this user."""
    return path.stat().st_uid == os.geteuid()


def delete(folder: Path) -> None:
    """Delete a folder, if it is there, with what a program has closed to its own user. What cannot be deleted stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir() and not folder.is_symlink():
        with contextlib.suppress(OSError):  # another amlite deletes it too
            folder.chmod(0o700)
            for parent, names, _ in os.walk(folder):
                for path in (Path(parent, name) for name in names):
                    if not path.is_symlink():
                        path.chmod(0o700)  # before the walk enters it
        shutil.rmtree(folder, ignore_errors=True)


def problem(state: Path, error: BaseException | None) -> str | None:
    """Return the message for an error that the disk caused, or None for another error."""
    while error is not None:
        reason = None
        if isinstance(error, OSError):
            reason = _REASONS.get(error.errno or 0)
        elif isinstance(error, sqlite3.Error):
            reason = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if reason is not None:
            return f"amlite cannot write to {state}: {reason}"
        error = error.__cause__ or error.__context__
    return None


def check(state: Path) -> str | None:
    """Make the state folder, and return the message if amlite cannot work in it, or must not.

    Another user's folder can say which variables commands get, and that user may open it again at any time.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_own(state):
            return f"amlite does not use {state}: it belongs to another user; {_OWN}"
        if not os.access(state, os.W_OK):
            raise OSError(errno.EROFS if os.geteuid() == 0 else errno.EACCES, "")
        if shutil.disk_usage(state).free < _NEEDED_BYTES:
            raise OSError(errno.ENOSPC, "")
    except OSError as error:
        return problem(state, error) or f"amlite cannot make {state}: {error.strerror}"
    return None
