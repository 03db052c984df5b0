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
# Python's errors in one of the engine's plugins: no folder for temporary files, or a file that cannot be written.
_NO_TEMPORARY_FOLDER = re.compile(r"No usable temporary directory found in \['(?P<path>[^']+)'")
_PLUGIN = re.compile(
    r"^( *stderr: )?(OSError: )?\[Errno \d+\] (?P<reason>No space left on device|Disk quota exceeded)"
    r"(: '(?P<path>[^']+)')?",
    re.MULTILINE,
)


def problem(stack: str, error: str) -> ReleaseError | None:
    """Return the error for an engine that could not write a file, or None if another reason made it fail.

    Deletes the lock that it could not write.
    """
    if (found := _NO_TEMPORARY_FOLDER.search(error)) is not None:
        return ReleaseError(
            f"stack '{stack}': no temporary file can be written, in {found['path']} or elsewhere",
            fix="free space there, or set TMPDIR to a folder that you may write to, and run this command again",
        )
    if (found := _PLUGIN.search(error)) is not None:
        reason, cure = _REASONS[found["reason"].lower()]
        where = f" at {found['path']}" if found["path"] else ""
        return ReleaseError(f"stack '{stack}': {reason}{where}", fix=f"{cure}, and run this command again")
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
