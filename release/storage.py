"""The folder that Pulumi keeps its state in: what is wrong with it if an engine could not write there."""

from __future__ import annotations

import re
from pathlib import Path

from release.errors import ReleaseError
from release.locks import discard_unwritten

_REASONS = {
    "no space left on device": ("the disk is full", "free space there"),
    "disk quota exceeded": ("the disk quota is used up", "free space there"),
    "read-only file system": ("it is read-only", "mount it writable, or choose another folder with `pulumi login`"),
    "permission denied": ("you may not write there", "get the permission, or choose another with `pulumi login`"),
}
_WRITE = re.compile(rf"(?P<path>/[^\s:]+): (?P<reason>{'|'.join(_REASONS)})")


def problem(stack: str, error: str) -> ReleaseError | None:
    """Return the error for an engine that could not write a file, or None if another reason made it fail.

    Deletes the lock that it could not write.
    """
    found = _WRITE.search(error)
    if found is None:
        return None
    path = Path(found["path"])
    discard_unwritten(path)
    folder = next((each.parent for each in path.parents if each.name == ".pulumi"), path.parent)
    reason, cure = _REASONS[found["reason"]]
    return ReleaseError(
        f"stack '{stack}': Pulumi cannot write to {folder}: {reason}", fix=f"{cure}, and run this command again"
    )
