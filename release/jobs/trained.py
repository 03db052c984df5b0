"""The file in which `release train` describes a training, for the next steps of a CI job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from release import json_file
from release.errors import ReleaseError


@dataclass(frozen=True)
class Trained:
    """A training.

    Attributes:
        job: Its job. None: no pipeline of the project has a gate, so nothing was trained.
        is_new: The job was submitted for this file.
        reason: Why the gate decided as it did, or why there was no training.
    """

    job: str | None
    is_new: bool
    reason: str


def read(file: Path) -> Trained:
    """Read the file.

    Raises:
        ReleaseError: It does not describe a training.
    """
    fix = f"write it with `release train --output-file {file}`"
    content = json_file.read(file, fix)
    try:
        job = content["job"]
        return Trained(None if job is None else str(job), bool(content["trained"]), str(content.get("reason", "")))
    except (KeyError, TypeError) as error:
        raise ReleaseError(f"{file} does not describe a training", fix=fix) from error
