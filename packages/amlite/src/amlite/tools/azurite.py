"""Azurite, which stores the blobs. npm installs it from its lock file."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from amlite.tools import node
from amlite.tools.base import NETWORK_FIX, RECIPES, Task, Tool, ToolError, digest, new_directory, tools_folder

_RECIPE = RECIPES / "azurite"
_FILES = ("package.json", "package-lock.json")
# npm's own timeouts add up to over a minute without a network.
_RETRIES = {"npm_config_fetch_retry_mintimeout": "1000", "npm_config_fetch_retry_maxtimeout": "5000"}
_SCRIPT = Path("node_modules") / "azurite" / "dist" / "src" / "blob" / "main.js"


def find() -> str | None:
    """See `Tool`."""
    folder = _folder()
    return str(folder) if all(Path(part).exists() for part in command(str(folder))) else None


async def install(task: Task) -> str:
    """See `Tool`."""
    program = await node.TOOL.ensure(task.say)
    folder = _folder()
    if not (folder / _SCRIPT).exists():
        with new_directory(folder) as unfinished:
            for name in _FILES:
                shutil.copyfile(_RECIPE / name, unfinished / name)
            task.say("npm ci")
            await task.run(
                [*node.npm(program), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"],
                fix=NETWORK_FIX,
                environment={
                    **_RETRIES,
                    **os.environ,
                    "PATH": f"{Path(program).parent}{os.pathsep}{os.environ.get('PATH', '')}",
                },
                cwd=unfinished,
            )
            if not (unfinished / _SCRIPT).exists():
                raise ToolError(f"npm installed no {_SCRIPT}", fix=NETWORK_FIX, log=task.log)
    _link(Path(command(str(folder))[0]), program)
    return str(folder)


def version(where: str) -> str:
    """See `Tool`."""
    del where
    return _pinned()


def command(where: str) -> list[str]:
    """Return the command that starts the Azurite at `where`: Node, and the script of its blob service."""
    return [f"{where}/node", f"{where}/{_SCRIPT}"]


def _link(path: Path, program: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(program)


def _folder() -> Path:
    recipe = digest(*((_RECIPE / name).read_bytes() for name in _FILES))
    return tools_folder() / f"azurite-{_pinned()}-{recipe}"


def _pinned() -> str:
    return str(json.loads((_RECIPE / "package.json").read_text("utf-8"))["dependencies"]["azurite"])


TOOL = Tool("azurite", "blob storage", find, install, version, needs=node.TOOL)
