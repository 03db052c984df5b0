"""The room for files that others wrote, such as the outputs of a job.

A file with holes takes little room until it is uploaded. On Azure, the disk of a node and the capacity of an account
limit what a job writes. A copy keeps its room until it is written, so that two at once do not count on the same.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from amlite.core.errors import AzureError
from amlite.core.platform import Platform

SETTING = "AMLITE_OUTPUT_GB"
"""The variable with the most that one output may take."""
Written = Callable[[int], None]
"""What takes the number of bytes that a copy has written: the disk has so much less free space now."""
_KEPT_FREE = 1 << 30
_GIGABYTES = re.compile(r"[0-9]{1,9}")


@dataclass
class _Promised:
    """The bytes that copies have not written yet, by the number of their disk."""

    bytes: Counter[int] = field(default_factory=Counter)


@contextlib.contextmanager
def for_upload(platform: Platform, name: str, needed: int) -> Iterator[Written]:
    """Keep the room for an upload to the disk of the state, which keeps 1 GB free.

    Raises AzureError 400 if `needed` bytes are more than an output may take, or than there are.
    """
    given = os.environ.get(SETTING, "")
    if given and not _GIGABYTES.fullmatch(given):
        raise AzureError(400, "UserError", f"{SETTING} must be a whole number of GB, not '{given[:40]}'.")
    what = f"'{name}' has {_shown(needed)}, holes in files included"
    if given and needed > int(given) << 30:
        raise _refusal(f"{what}, and may have {given} GB ({SETTING})", "uploaded. Write less")
    with _kept(platform, platform.state, needed, f"{what}, and its upload", "uploaded. Write less") as written:
        yield written


@contextlib.contextmanager
def for_download(platform: Platform, folder: Path, url: str, needed: int) -> Iterator[Written]:
    """Keep the room for a download of `needed` bytes to the disk of a folder, which keeps 1 GB free.

    Raises AzureError 400 if there is less.
    """
    what = f"{url} has {_shown(needed)}, pages without content included, and its download"
    with _kept(platform, folder, needed, what, "downloaded. Download less") as written:
        yield written


@contextlib.contextmanager
def _kept(platform: Platform, folder: Path, needed: int, what: str, done: str) -> Iterator[Written]:
    promised, disk = platform.part(_Promised).bytes, folder.stat().st_dev
    left = max(shutil.disk_usage(folder).free - _KEPT_FREE - promised[disk], 0)
    if needed > left:
        raise _refusal(f"{what} may take {_shown(left)} of the disk of {folder}", f"{done}, or free space on the disk")
    rest = needed

    def written(size: int) -> None:
        nonlocal rest
        size = min(size, rest)
        rest -= size
        promised[disk] -= size

    promised[disk] += needed
    try:
        yield written
    finally:
        promised[disk] -= rest


def _refusal(what: str, done: str) -> AzureError:
    return AzureError(400, "UserError", f"{what}. Nothing of it was {done}.")


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.1f} GB"
