"""uv, which builds the environments of jobs and installs the tools that come as wheels."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from uv import find_uv_bin

from amlite.tools.base import NETWORK_FIX, RECIPES, Task, Tool, ToolError, digest, new_directory, tools_folder


def find() -> str | None:
    """See `Tool`. uv is a dependency of amlite: it came with it."""
    try:
        return find_uv_bin()
    except FileNotFoundError:
        return None


async def install(task: Task) -> str:
    """See `Tool`."""
    del task
    raise ToolError("the program of the package uv is missing", fix=f"{sys.executable} -m pip install --force uv")


def version(where: str) -> str:
    """See `Tool`."""
    del where
    return importlib.metadata.version("uv")


def environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for uv. Variables of uv that are not set get pip's index and certificates."""
    result = {name: value for name, value in inherited.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    for pip, own in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ):
        if pip in inherited and own not in inherited and "UV_INDEX_URL" not in inherited:
            result[own] = inherited[pip]
    return {**result, "UV_NO_PROGRESS": "1"}


def wheel_folder(name: str) -> Path:
    """Return the folder into which `install_wheel` installs `recipes/<name>.lock`."""
    return tools_folder() / f"{name}-{digest((RECIPES / f'{name}.lock').read_bytes())}"


async def install_wheel(task: Task, name: str) -> Path:
    """Install `recipes/<name>.lock` into its own folder, once, as `pip install --target` does."""
    target = wheel_folder(name)
    if not target.is_dir():
        task.say(f"downloading {name}")
        with new_directory(target) as folder:
            await task.run(
                [
                    *(await TOOL.ensure(), "pip", "install", "--python", sys.executable, "--target", folder),
                    *("--no-deps", "--require-hashes", "--requirement", RECIPES / f"{name}.lock"),
                ],
                fix=NETWORK_FIX,
                environment=environment(),
                line=task.say,
            )
    return target


TOOL = Tool("uv", "environments of jobs", find, install, version)
