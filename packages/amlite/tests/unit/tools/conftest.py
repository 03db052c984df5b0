from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from amlite.tools.base import Task

Programs = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of amlite's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "amlite"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
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
def said() -> list[str]:
    """What the task under test said it was doing."""
    return []


@pytest.fixture
def task(cache: Path, said: list[str]) -> Task:
    """What a tool is brought with."""
    return Task(cache / "logs" / "tool.log", said.append)
