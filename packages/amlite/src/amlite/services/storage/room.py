"""The room for files that others wrote, such as the outputs of a job.

A file with holes takes little room until it is uploaded. On Azure, the disk of a node and the capacity of an account
limit what a job writes.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from amlite.core.errors import AzureError

SETTING = "AMLITE_OUTPUT_GB"
"""The variable with the most that one output may take."""
_KEPT_FREE = 1 << 30
_GIGABYTES = re.compile(r"[0-9]{1,9}")


def require(state: Path, name: str, needed: int) -> None:
    """Raise AzureError 400 if `needed` bytes are more than an output may take, or than fit on the disk of the state.

    The disk keeps 1 GB free.
    """
    given = os.environ.get(SETTING, "")
    if given and not _GIGABYTES.fullmatch(given):
        raise AzureError(400, "UserError", f"{SETTING} must be a whole number of GB, not '{given[:40]}'.")
    allowed = int(given) << 30 if given else None
    if allowed is not None and needed > allowed:
        raise AzureError(
            400,
            "UserError",
            f"'{name}' has {_shown(needed)}, holes in files included, and may have {given} GB ({SETTING}). Nothing of "
            "it was uploaded.",
        )
    left = shutil.disk_usage(state).free - _KEPT_FREE
    if needed > left:
        raise AzureError(
            400,
            "UserError",
            f"'{name}' has {_shown(needed)}, holes in files included, and its upload may take {_shown(max(left, 0))} "
            f"of the disk of {state}. Nothing of it was uploaded. Write less, or free space on the disk.",
        )


def require_download(folder: Path, url: str, needed: int) -> None:
    """Raise AzureError 400 if `needed` bytes of a place do not fit on the disk of a folder, which keeps 1 GB free."""
    left = shutil.disk_usage(folder).free - _KEPT_FREE
    if needed > left:
        raise AzureError(
            400,
            "UserError",
            f"{url} has {_shown(needed)}, pages without content included, and its download may take "
            f"{_shown(max(left, 0))} of the disk of {folder}. Nothing of it was downloaded.",
        )


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.1f} GB"
