"""Files and sockets in folders that somebody else writes to, such as a job: no link out of a folder is followed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from amlite.core.errors import AzureError

_MOST_TEXT = 1 << 20
_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def opened(path: Path, within: Path) -> Iterator[BinaryIO]:
    """Open a file to read. Raises AzureError 400 if it is not a regular file, or if links lead out of `within`.

    What is checked is the opened file, so a link that is exchanged meanwhile changes nothing.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open some devices does something, as a watchdog's
            raise _refusal(path, within)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refusal(path, within) from error
    try:
        held = _DESCRIPTORS / str(descriptor)
        actual = Path(os.readlink(held)) if held.is_symlink() else path.resolve()  # noqa: PTH115 - one step only
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not actual.is_relative_to(within.resolve()):
            raise _refusal(path, within)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def text(path: Path, within: Path) -> str:
    """Return the text of a file. Raises AzureError 400 as `opened`, and ValueError if it is large or not UTF-8."""
    with opened(path, within) as file:
        content = file.read(_MOST_TEXT + 1)
    if len(content) > _MOST_TEXT:
        raise ValueError(f"'{path.name}' has more than {_MOST_TEXT >> 20} MB")
    return content.decode("utf-8")


def write(path: Path, content: str) -> None:
    """Write a file. A link in its place is replaced, and not followed. The folder must not be a link."""
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with beside.open("x", encoding="utf-8") as file:
        file.write(content)
    beside.replace(path)


@contextmanager
def socket(path: Path) -> Iterator[str]:
    """Yield an address at which to connect to a socket. Raises OSError if there is no socket, or a link to one.

    The address is that of the opened socket, so a link that takes its place meanwhile changes nothing. On a machine
    without `/proc`, where no program is confined, the link is followed.
    """
    if not _DESCRIPTORS.is_dir():
        yield str(path)
        return
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(held).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), str(path))
        yield str(_DESCRIPTORS / str(held))
    finally:
        os.close(held)


def is_inside(path: Path, within: Path) -> bool:
    """Whether a file or folder exists, and lies in another folder wherever links lead."""
    return path.exists() and path.resolve().is_relative_to(within.resolve())


def is_file(path: Path, within: Path) -> bool:
    """Whether a path is a file in a folder. Of others on this machine, it does not tell whether they exist."""
    return is_inside(path, within) and path.is_file()


def files(folder: Path, within: Path) -> list[Path]:
    """Return the files in a folder and in those below it, in order. Links to folders are not followed.

    Raises AzureError 400 if the folder, or something in it, leads out of `within`.
    """
    if not folder.resolve().is_relative_to(within.resolve()):
        raise _refusal(folder, within)
    found = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]
    for path in found:
        if not path.resolve().is_relative_to(within.resolve()):
            raise _refusal(path, within)
    return [path for path in found if path.is_file()]


def copy(source: Path, target: Path, within: Path) -> None:
    """Copy a file, or the files in a folder, as files that can be changed. Raises AzureError 400 as `files`."""
    whole = source.is_dir()
    if whole:
        target.mkdir(parents=True, exist_ok=True)
    for path in files(source, within) if whole else [source]:
        place = target / path.relative_to(source) if whole else target
        place.parent.mkdir(parents=True, exist_ok=True)
        with opened(path, within) as file, place.open("wb") as copied:
            shutil.copyfileobj(file, copied, 1 << 20)
        place.chmod(0o644)


def _refusal(path: Path, within: Path) -> AzureError:
    shown = path.relative_to(within) if path.is_relative_to(within) else path.name
    return AzureError(
        400,
        "UserError",
        f"'{shown}' is not a file inside the job's folder: a link leads out of it, or it is a device. Copy the file "
        "instead of linking it.",
    )
