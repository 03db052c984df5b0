"""Virtual environments built by uv, one for each set of packages, shared by every amlite of this user."""

from __future__ import annotations

import asyncio
import collections
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from amlite.core import runtime
from amlite.core.errors import StartError
from amlite.core.locking import locked
from amlite.core.platform import Platform
from amlite.core.processes import OWNER_VARIABLE
from amlite.core.programs import run
from amlite.services.environments import confinement, interpreters, keeping
from amlite.services.environments.confinement import Confinement
from amlite.services.environments.errors import UnusableEnvironment
from amlite.services.environments.packages import Packages
from amlite.tools import uv

Log = Callable[[str], None]
_TAIL_LINES = 25
_BARE = {"PATH": os.environ.get("PATH", os.defpath)}
# Variables of the deploying application and its tools.
_NOT_FOR_PACKAGES = ("AZURE_", "ARM_", "PULUMI_", "AMLITE_", "DOCKER_")


async def ensure(platform: Platform, packages: Packages, log: Log) -> Path:
    """Return the folder of a virtual environment with these packages, building it on first use.

    `log` gets each line of the build. Raises UnusableEnvironment with the build's last lines when it fails; a failed or
    interrupted build leaves nothing that a later one would take for whole.
    """
    folder = cache_folder() / packages.digest
    if keeping.use(folder):
        return folder
    waiting = "waiting for the same environment, which is being built elsewhere"
    async with locked(keeping.lock_of(folder), lambda: log(waiting)):
        if not keeping.is_whole(folder):
            await asyncio.to_thread(keeping.trim, cache_folder())
            await _build(platform, packages, folder, log)
    return folder


def cache_folder() -> Path:
    """Return where virtual environments are kept."""
    return runtime.cache_folder() / "environments"


async def _build(platform: Platform, packages: Packages, folder: Path, log: Log) -> None:
    try:
        builder = await uv.TOOL.ensure(log)
    except StartError as error:
        raise UnusableEnvironment(str(error)) from error
    beside = folder.with_suffix(".building")
    await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)
    try:
        log(f"building a virtual environment of Python {packages.python} from {packages.source}")
        try:
            await _create(platform, packages, packages.python, log, builder, beside)
        except UnusableEnvironment:
            minor = interpreters.minor_of(packages.python)
            if minor is None:
                raise
            log(f"Python {packages.python} cannot be downloaded: the Python {minor} of this machine takes its place")
            await _create(platform, packages, minor, log, builder, beside)
        requirements = beside / "requirements.txt"
        requirements.write_text("\n".join(packages.requirements) + "\n", "utf-8")
        if packages.requirements:
            await _install(platform, packages, log, builder, beside)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)


async def _create(platform: Platform, packages: Packages, version: str, log: Log, builder: str, folder: Path) -> None:
    """Create an environment without packages. Raises UnusableEnvironment if there is no such interpreter."""
    python = await interpreters.find(builder, version)
    # Relocatable, for it moves to its own name once it is whole.
    venv = ("venv", "--quiet", "--no-project", "--relocatable", "--python", python)
    why = interpreters.missing(packages.python, packages.source)
    await _run(platform, packages, log, builder, *venv, folder, why=why)


async def _install(platform: Platform, packages: Packages, log: Log, builder: str, folder: Path) -> None:
    """Install the packages. What they run meanwhile is confined as a job is, where this machine can do that.

    uv unpacks wheels, which runs nothing. Other packages have a program that builds them. A start of the interpreter
    runs what a package puts there, which must not be while the environment can be written: its files can be those of
    uv's cache, from which other environments get them.
    """
    python = folder / "bin" / "python"
    install = (builder, "pip", "install", "--python", python, "--requirement", folder / "requirements.txt")
    confined = await confinement.of(platform)
    if confined is None:
        # Compiled now, because programs cannot write into the environment.
        await _run(platform, packages, log, *install, "--compile-bytecode")
        return
    lines: list[str] = []
    actual, cache = python.resolve(), folder / "cache"
    # Before it says that a source in git has to be built, uv would copy it with your keys, and jobs read that copy.
    wheels = {**_environment(platform), "GIT_ALLOW_PROTOCOL": "none"}
    if await run((*install, "--no-build"), line=lines.append, environment=wheels, cwd=folder) == 0:
        for each in lines:
            log(each)
    else:
        log("not all packages are wheels: the others are built without access to your files and ports")
        # A cache of its own: what is built must not change what other environments get.
        line = _confined(platform, confined, builder, (*install, "--cache-dir", cache), folder, actual)
        await _run(platform, packages, log, *line, environment=_BARE)
        await asyncio.to_thread(shutil.rmtree, cache, ignore_errors=True)
    # A package may have files of other versions of Python, which cannot be compiled.
    _require_interpreter(packages, python, actual)
    compiling = (actual, "-I", "-S", "-m", "compileall", "-q", "-j", "0", folder / "lib")
    compiled = _confined(platform, confined, builder, compiling, folder, actual)
    await run(compiled, line=lambda _line: None, environment=_BARE)
    _require_interpreter(packages, python, actual)


def _require_interpreter(packages: Packages, python: Path, actual: Path) -> None:
    """Raise UnusableEnvironment if a package has put another interpreter there: programs read what is around it."""
    if python.resolve() != actual:
        raise UnusableEnvironment(f"a package of {packages.source} replaces the interpreter")


def _confined(
    platform: Platform, confined: Confinement, builder: str, command: Sequence[str | Path], folder: Path, python: Path
) -> list[str]:
    """Return the command line that runs a command, which may change the folder of an environment of a Python."""
    reaching = {name: value for name, value in platform.environment.items() if not name.startswith(_NOT_FOR_PACKAGES)}
    own = {name: value for name, value in uv.environment().items() if name.startswith(("UV_", "PIP_"))}
    return confined.line(
        [str(part) for part in command],
        {**own, **reaching, **_BARE, "NO_COLOR": "1"},
        cwd=folder,
        folders=[folder],
        read=[python.parents[1], Path(builder).parent],
    )


def _environment(platform: Platform) -> dict[str, str]:
    return {**uv.environment(), "NO_COLOR": "1", OWNER_VARIABLE: str(platform.state)}


async def _run(
    platform: Platform,
    packages: Packages,
    log: Log,
    *command: str | Path,
    why: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    last: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)

    def line(text: str) -> None:
        last.append(text)
        log(text)

    # uv reads settings of the working folder and those above it, which may be a project of somebody else.
    code = await run(command, line=line, environment=environment or _environment(platform), cwd=cache_folder())
    if code != 0 and why is not None:
        raise UnusableEnvironment(why)
    if code != 0:
        raise UnusableEnvironment(
            f"the packages of {packages.source} cannot be installed (uv ended with {code}):\n" + "\n".join(last)
        )
