"""Files that somebody else wrote, such as a job: read without following a link out of the folder that is theirs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from amlite.core.errors import AzureError

_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def opened(path: Path, within: Path) -> Iterator[BinaryIO]:
    """Open a file to read. Raises AzureError 400 if it is not a regular file, or if links lead out of `within`.

    What is checked is the opened file, so a link that is exchanged meanwhile changes nothing.
    """
    try:
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


def files(folder: Path, within: Path) -> list[Path]:
    """Return the files in a folder and in those below it, in order. Links to folders are not followed.

    Raises AzureError 400 if the folder or a file leads out of `within`.
    """
    if not folder.resolve().is_relative_to(within.resolve()):
        raise _refusal(folder, within)
    found = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]
    kept = [path for path in found if not path.is_dir()]
    for path in kept:
        if not path.resolve().is_relative_to(within.resolve()):
            raise _refusal(path, within)
    return [path for path in kept if path.is_file()]


def _refusal(path: Path, within: Path) -> AzureError:
    shown = path.relative_to(within) if path.is_relative_to(within) else path.name
    return AzureError(
        400,
        "UserError",
        f"'{shown}' is not a file inside the job's folder: a link leads out of it, or it is a device. Copy the file "
        "instead of linking it.",
    )
