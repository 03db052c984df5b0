"""Virtual environments built by uv, one for each set of packages, shared by every amlite of this user."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

from amlite.core import runtime
from amlite.core.platform import Platform
from amlite.core.processes import OWNER_VARIABLE, tool
from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.packages import Packages

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
    folder.parent.mkdir(parents=True, exist_ok=True)
    async with _locked(folder.with_suffix(".lock"), log):
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
    uv = tool("uv")
    if uv is None:
        raise UnusableEnvironment("uv, which builds environments, is not in .venv/bin; run: make setup")
    beside = folder.with_suffix(".building")
    await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)
    try:
        log(f"building a virtual environment of Python {packages.python} from {packages.source}")
        # Relocatable, for it moves to its own name once it is whole.
        venv = ("venv", "--quiet", "--no-project", "--relocatable", "--python", packages.python)
        await _run(platform, packages, log, uv, *venv, beside)
        requirements = beside / "requirements.txt"
        requirements.write_text("\n".join(packages.requirements) + "\n", "utf-8")
        if packages.requirements:
            python = beside / "bin" / "python"
            await _run(platform, packages, log, uv, "pip", "install", "--python", python, "--requirement", requirements)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)


async def _run(platform: Platform, packages: Packages, log: Log, *command: str | Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    process = await asyncio.create_subprocess_exec(
        *[str(part) for part in command],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**inherited, "NO_COLOR": "1", OWNER_VARIABLE: str(platform.state)},
    )
    output = cast("asyncio.StreamReader", process.stdout)
    last: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
    try:
        async for raw in output:
            line = raw.decode("utf-8", "replace").rstrip()
            last.append(line)
            log(line)
        code = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if code != 0:
        raise UnusableEnvironment(
            f"the packages of {packages.source} cannot be installed (uv ended with {code}):\n" + "\n".join(last)
        )


@contextlib.asynccontextmanager
async def _locked(path: Path, log: Log) -> AsyncIterator[None]:
    """Hold a lock that other tasks and other processes respect, and that ends with whoever holds it."""
    with path.open("w") as file:
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not waited:
                    log("waiting for the same environment, which is being built elsewhere")
                waited = True
                await asyncio.sleep(0.1)
        yield
