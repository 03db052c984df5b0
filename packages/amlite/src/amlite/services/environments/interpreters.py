"""The Python interpreters of this machine, for virtual environments."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from amlite.tools import uv

_EXACT = re.compile(r"2|\d+\.\d+(?:\.\d+)?")
_PATCH = re.compile(r"(3\.\d+)\.\d+")


async def find(builder: str, version: str) -> str:
    """Return what uv is told to use for a Python version: an interpreter that uv does not find, or the version itself.

    uv does not look behind the shims of pyenv.
    """
    process = await asyncio.create_subprocess_exec(
        *(builder, "python", "find", "--no-project", "--no-python-downloads", version),
        env=uv.environment(),
        cwd=Path(builder).parent,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await process.wait() == 0:
        return version
    return next((str(path) for name, path in _of_pyenv() if name == version or name.startswith(f"{version}.")), version)


def minor_of(version: str) -> str | None:
    """Return the version without the number of the patch release, whose packages are the same; None without one."""
    found = _PATCH.fullmatch(version)
    return found[1] if found is not None else None


def missing(version: str, source: str) -> str | None:
    """Return why a virtual environment has no interpreter, and the fix; None if the version is not a plain one."""
    if _EXACT.fullmatch(version) is None:
        return None
    known = ", ".join(sorted({name for name, _ in _of_pyenv()})) or "none of pyenv"
    return (
        f"Python {version}, which {source} asks for, is not on this machine and cannot be downloaded. Name another "
        f"version there, or install it, for example with: pyenv install {version}. Versions on this machine: {known}."
    )


def _of_pyenv() -> list[tuple[str, Path]]:
    folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [(path.parent.parent.name, path) for path in folder.glob("3.*/bin/python")]
    return sorted(found, key=lambda each: [int(part) for part in re.findall(r"\d+", each[0])], reverse=True)
