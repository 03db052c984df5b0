"""Virtual environments built by uv, one for each set of packages, shared by every amlite of this user."""

from __future__ import annotations

import asyncio
import collections
import shutil
from collections.abc import Callable
from pathlib import Path

from amlite.core import runtime
from amlite.core.errors import StartError
from amlite.core.locking import locked
from amlite.core.platform import Platform
from amlite.core.processes import OWNER_VARIABLE
from amlite.core.programs import run
from amlite.services.environments import interpreters
from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.packages import Packages
from amlite.tools import uv

Log = Callable[[str], None]
_TAIL_LINES = 25


async def ensure(platform: Platform, packages: Packages, log: Log) -> Path:
    """Return the folder of a virtual environment with these packages, building it on first use.

    `log` gets each line of the build. Raises UnusableEnvironment with the build's last lines when it fails; a failed or
    interrupted build leaves nothing that a later one would take for whole.
    """
    folder = cache_folder() / packages.digest
    if _is_whole(folder):
        return folder
    waiting = "waiting for the same environment, which is being built elsewhere"
    async with locked(folder.with_suffix(".lock"), lambda: log(waiting)):
        if not _is_whole(folder):
            await _build(platform, packages, folder, log)
    return folder


def cache_folder() -> Path:
    """Return where virtual environments are kept."""
    return runtime.cache_folder() / "environments"


def _is_whole(folder: Path) -> bool:
    # The interpreter is a link: it may have gone with the Python it was made from.
    return (folder / "bin" / "python").exists()


async def _build(platform: Platform, packages: Packages, folder: Path, log: Log) -> None:
    try:
        builder = await uv.TOOL.ensure(log)
    except StartError as error:
        raise UnusableEnvironment(str(error)) from error
    beside = folder.with_suffix(".building")
    await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)
    try:
        log(f"building a virtual environment of Python {packages.python} from {packages.source}")
        # Relocatable, for it moves to its own name once it is whole.
        python = await interpreters.find(builder, packages.python)
        venv = ("venv", "--quiet", "--no-project", "--relocatable", "--python", python)
        why = interpreters.missing(packages.python, packages.source)
        await _run(platform, packages, log, builder, *venv, beside, why=why)
        requirements = beside / "requirements.txt"
        requirements.write_text("\n".join(packages.requirements) + "\n", "utf-8")
        if packages.requirements:
            into = ("--python", beside / "bin" / "python")
            # Compiled now, because programs cannot write into the environment.
            install = ("pip", "install", "--compile-bytecode", *into, "--requirement", requirements)
            await _run(platform, packages, log, builder, *install)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)


async def _run(platform: Platform, packages: Packages, log: Log, *command: str | Path, why: str | None = None) -> None:
    last: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)

    def line(text: str) -> None:
        last.append(text)
        log(text)

    code = await run(
        command, line=line, environment={**uv.environment(), "NO_COLOR": "1", OWNER_VARIABLE: str(platform.state)}
    )
    if code != 0 and why is not None:
        raise UnusableEnvironment(why)
    if code != 0:
        raise UnusableEnvironment(
            f"the packages of {packages.source} cannot be installed (uv ended with {code}):\n" + "\n".join(last)
        )
