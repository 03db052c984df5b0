"""Programs as processes of this machine, in a virtual environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Unpack

from amlite.services.environments.confinement import Confinement
from amlite.services.environments.program import Program
from amlite.services.environments.usage import Usage, of_processes

# The variables that a program inherits from this machine. Nothing else is inherited, credentials least of all.
_INHERITED = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL")


@dataclass(frozen=True)
class VirtualEnvironment:
    """A virtual environment at `folder`; see `preparation.Prepared`."""

    folder: Path
    label: str
    confinement: Confinement | None = None

    @property
    def keeps_inputs(self) -> bool:
        """Whether its programs cannot change their inputs."""
        return self.confinement is not None

    @property
    def kind(self) -> Literal["process"]:
        """The way programs run."""
        return "process"

    def command(self, argv: Sequence[str], **program: Unpack[Program]) -> tuple[list[str], dict[str, str]]:
        """Return the command line with its program looked up here first, and the environment."""
        programs = self.folder / "bin"
        first = programs / argv[0]
        found = str(first) if "/" not in argv[0] and first.exists() else argv[0]
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        activated = {"VIRTUAL_ENV": str(self.folder), "PYTHONUNBUFFERED": "1"}
        line, environment = [found, *argv[1:]], {**inherited, **activated, **program["environment"], "PATH": path}
        if self.confinement is None:
            return line, environment
        interpreter = (programs / "python").resolve().parents[1]
        confined = self.confinement.line(
            line,
            environment,
            cwd=program["cwd"],
            folders=program["folders"],
            read=[self.folder, interpreter, *program["inputs"]],
            layered=[self.folder],  # a command may install packages, as in a container
            ports=program["ports"],
        )
        return confined, {"PATH": os.environ.get("PATH", os.defpath)}

    async def usage(self, name: str, pid: int) -> Usage | None:
        """Return what a child and its descendants use, or None if it has ended."""
        return await asyncio.to_thread(of_processes, pid)

    async def stop(self, name: str) -> None:
        """Nothing: the caller's child was all there is."""
