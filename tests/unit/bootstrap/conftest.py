from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.layout import Layout
from bootstrap.phases import Found, Task
from bootstrap.processes import Processes

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty machine: a checkout with the real recipes, an empty cache, an empty home."""
    repository = tmp_path / "checkout"
    shutil.copytree(
        REPOSITORY / "bootstrap", repository / "bootstrap", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copyfile(REPOSITORY / name, repository / name)
    (repository / ".venv" / "bin").mkdir(parents=True)
    return Layout.of(repository, {"HOME": str(tmp_path / "home")})


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts shell scripts on a PATH that has nothing but the usual small tools."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for tool in ("sh", "cat", "mkdir", "touch", "dirname", "echo", "env", "cp", "sleep", "chmod"):
        found = shutil.which(tool, path="/usr/bin:/bin")
        assert found is not None
        (folder / tool).symlink_to(found)

    def add(name: str, script: str) -> Path:
        path = folder / name
        path.unlink(missing_ok=True)  # a link would be written through
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return add


@pytest.fixture
def details() -> list[str]:
    """What the task under test said it was doing."""
    return []


@pytest.fixture
def task(layout: Layout, details: list[str], tmp_path: Path) -> Task:
    """A task whose other phases have ended: uv and python are shell scripts in `others`."""
    others = tmp_path / "others"
    others.mkdir()
    results = {
        "uv": Found("", facts={"uv_path": str(others / "uv")}),
        "python": Found("", facts={"python_path": str(others / "python")}),
    }
    return Task(
        layout=layout,
        log=layout.logs / "phase.log",
        detail=details.append,
        say=details.append,
        need=results.__getitem__,
        processes=Processes(),
    )
