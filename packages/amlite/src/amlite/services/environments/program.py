"""A program to be run in an environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict


class Program(TypedDict):
    """The settings of a program besides its command line.

    `environment` is its whole environment, except for the variables that locate the interpreter. `mounts` maps folders
    of this machine to their paths in a container. A process sees the original paths, so equal paths suit both kinds.
    `cwd` is a path as the program sees it. `name` is the container's name. `shared_memory` is the size of a container's
    /dev/shm, as Docker takes it.
    """

    cwd: Path
    environment: Mapping[str, str]
    mounts: Mapping[Path, Path]
    name: str
    shared_memory: NotRequired[str]
