"""The distribution registry, which keeps images: on PATH, from the system's packages, or built from Go modules."""

from __future__ import annotations

import re
import shutil

from amlite.tools import debian, docker_engine, golang
from amlite.tools.base import RECIPES, Task, Tool, dotted, output_of, version_in

PROGRAM = "docker-registry"
_PACKAGE = "github.com/distribution/distribution/v3/cmd/registry"
_PINNED = re.compile(r"distribution/distribution/v3 v(\S+)")


def find() -> str | None:
    """See `Tool`."""
    built = golang.folder(PROGRAM) / PROGRAM
    return shutil.which(PROGRAM) or (str(built) if built.exists() else None)


async def install(task: Task) -> str:
    """See `Tool`."""
    if debian.why_not() is None:
        await debian.install(task, [PROGRAM])
        if (installed := shutil.which(PROGRAM)) is not None:
            return installed
    built = golang.folder(PROGRAM) / PROGRAM
    await golang.build(task, PROGRAM, _PACKAGE, built)
    return str(built)


def version(where: str) -> str:
    """See `Tool`."""
    if where == shutil.which(PROGRAM):
        return dotted(version_in(output_of(where, "--version")))
    pinned = _PINNED.search((RECIPES / PROGRAM / "go.mod").read_text("utf-8"))
    return pinned[1] if pinned else ""


TOOL = Tool(
    "container-registry", "images of environments", find, install, version, needs=docker_engine.TOOL, optional=True
)
