"""The common parts of the tools: finding one, installing it once, and the error when that fails."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amlite.core import runtime
from amlite.core.errors import StartError
from amlite.core.locking import locked
from amlite.core.processes import OWNER_VARIABLE
from amlite.core.programs import run

RECIPES = Path(__file__).with_name("recipes")
"""Lock files: the packages and modules of each tool, with their hashes."""

NETWORK_FIX = "Check the network and the proxy settings (HTTPS_PROXY), then run: amlite tools"

_VERSION_SECONDS = 20.0
_log = logging.getLogger("amlite.tools")

Say = Callable[[str], None]
Version = tuple[int, int, int]


class ToolError(StartError):
    """A tool cannot be installed. The message has the failure, the log file and the fix."""

    def __init__(self, what: str, *, fix: str, log: Path | None = None) -> None:
        super().__init__("\n".join([what, *([f"  log: {log}"] if log else []), f"  fix: {fix}"]))
        self.what = what


class Unavailable(ToolError):  # noqa: N818 - a state of the machine, not a failure
    """This machine cannot have the tool, or the user turned it off."""


@dataclass(frozen=True)
class Task:
    """An installation in progress: its log, and `say` to report the current step."""

    log: Path
    say: Say

    async def run(
        self,
        command: Sequence[str | Path],
        *,
        fix: str,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        line: Say | None = None,
        finish: bool = False,
    ) -> str:
        """Run a program, send its output to the log and to `line`, and return the output.

        `finish` is for a package manager: an interruption waits for its end. Raises ToolError with `fix`.
        """
        words = [str(word) for word in command]
        environment = dict(os.environ if environment is None else environment)
        if finish:
            # Without amlite's mark, so that it does not end with amlite.
            environment.pop(OWNER_VARIABLE, None)
        lines: list[str] = []
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(words)}\n")

            def tell(text: str) -> None:
                lines.append(text)
                file.write(f"{text}\n")
                file.flush()
                if line is not None:
                    line(text)

            try:
                code = await run(words, line=tell, environment=environment, cwd=cwd, finish=finish)
            except OSError as error:
                raise ToolError(f"`{words[0]}` does not start: {error.strerror}", fix=fix, log=self.log) from error
        if code != 0:
            what = f"`{' '.join(words)[:120]}` ended with code {code}: {reason_in(lines)[:300]}"
            raise ToolError(what, fix=fix, log=self.log)
        return "\n".join(lines)


@dataclass(frozen=True)
class Tool:
    """A program, or a file, that amlite needs.

    Attributes:
        name: The name in `amlite tools`.
        purpose: The reason that amlite needs it.
        find: Returns its path or address, or None if it has to be installed. Takes milliseconds.
        install: Installs it and returns its path. Raises ToolError.
        version: Returns the version of the tool at a path or address.
        needs: Another tool, without which this one is of no use.
        optional: Whether amlite works without it.
    """

    name: str
    purpose: str
    find: Callable[[], str | None]
    install: Callable[[Task], Awaitable[str]]
    version: Callable[[str], str]
    needs: Tool | None = None
    optional: bool = False

    async def ensure(self, say: Say | None = None) -> str:
        """Return the path or address of the tool, and install it first if necessary. Raises ToolError."""
        if (found := await asyncio.to_thread(self.find)) is not None:
            return found
        say = say or (lambda text: _log.info("%s: %s", self.name, text))
        async with locked(
            tools_folder() / f"{self.name}.lock", lambda: say("waiting for another amlite that installs it")
        ):
            if (found := await asyncio.to_thread(self.find)) is not None:
                return found
            log = runtime.cache_folder() / "logs" / f"{self.name}.log"
            log.unlink(missing_ok=True)
            return await self.install(Task(log, say))


def tools_folder() -> Path:
    """Return the folder of installed tools. Deleting it costs time only."""
    return runtime.cache_folder() / "tools"


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Fill a directory that appears at `path` only if the block ends without an error."""
    for each in path.parent.glob(f"{path.name}.unfinished*"):
        shutil.rmtree(each, ignore_errors=True)
    # The number, because a program of a killed amlite may still write to the earlier one.
    unfinished = path.with_name(f"{path.name}.unfinished-{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        shutil.rmtree(path, ignore_errors=True)
        unfinished.replace(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def digest(*parts: bytes) -> str:
    """Return a short name for content."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:16]


def output_of(*command: str) -> str:
    """Return the output of a quick command, or an empty string if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=_VERSION_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def version_in(text: str) -> Version | None:
    """Return the first version number in a program's output; a missing patch counts as 0."""
    match = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def dotted(version: Version | None) -> str:
    """Return `1.2.3`, or an empty string for None."""
    return ".".join(str(part) for part in version or ())


def reason_in(lines: Sequence[str]) -> str:
    """Return the most informative line of a failed program's output: the first that contains "error", else the last."""
    told = [line.strip() for line in lines if line.strip()]
    errors = (line for line in told if re.search(r"\berror\b", line, re.IGNORECASE))
    return next(errors, told[-1] if told else "no output")
