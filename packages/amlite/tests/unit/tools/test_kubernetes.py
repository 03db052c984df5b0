from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from amlite.tools import command, kubernetes

Programs = Callable[[str, str], Path]
GO = """\
[ "$1" = version ] && echo go version go1.26.1 && exit
[ -e go.mod ] || exit 9
while [ "$1" != -ldflags ]; do shift; done
flags=$2
while [ "$1" != -o ]; do shift; done
output=$2
shift 2
if [ $# -eq 1 ]; then echo "$flags" > "$output"; else for each; do echo "$flags" > "$output/${each##*/}"; done; fi
"""


def test_kubernetes_is_built_once_and_knows_its_version(programs: Programs, cache: Path) -> None:
    programs("go", GO)
    found = Path(asyncio.run(kubernetes.TOOL.ensure()))
    assert found.is_relative_to(cache)
    assert {each.name for each in found.iterdir()} == set(kubernetes.PROGRAMS)
    version = f"-X k8s.io/component-base/version.gitVersion=v{kubernetes.pinned()}"
    assert version in (found / "kubelet").read_text("utf-8")
    assert kubernetes.etcd().exists()
    programs("go", "exit 9")
    assert asyncio.run(kubernetes.TOOL.ensure()) == str(found)


def test_only_those_who_ask_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[str] = []
    monkeypatch.setattr(command, "install", lambda tools: wanted.extend(tool.name for tool in tools) or [])
    command.show("json")
    assert "kubernetes" not in wanted
    command.show("json", ["kubernetes"])
    assert wanted[-1] == "kubernetes"
