"""A program to be run in an environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict


class Program(TypedDict):
    """What a program needs beside its command line.

    `environment` is all that it gets, beside what finding the interpreter takes. `mounts` maps folders of this machine
    to where a container sees them; a process sees them where they are, so equal paths on both sides suit both kinds.
    `cwd` is a path as the program sees it. `name` is the container's name.
    """

    cwd: Path
    environment: Mapping[str, str]
    mounts: Mapping[Path, Path]
    name: str
