from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from amlite.tools import azurite
from amlite.tools.base import ToolError, output_of

SCRIPT = "node_modules/azurite/dist/src/blob"
NPM = f'[ "$1" = ci ] && [ -e package-lock.json ] || exit 9\nmkdir -p {SCRIPT} && touch {SCRIPT}/main.js'
Programs = Callable[[str, str], Path]


def node(programs: Programs) -> Path:
    real = programs("real-node", 'echo "started with $*"')
    programs("node", f"echo v20.1.0 {real}")
    return real


async def test_npm_installs_it_into_the_cache_once(programs: Programs, cache: Path) -> None:
    node(programs)
    programs("npm", NPM)
    assert azurite.TOOL.find() is None
    folder = await azurite.TOOL.ensure()
    assert Path(folder).is_relative_to(cache)
    assert azurite.TOOL.version(folder) == "3.35.0"
    programs("npm", "exit 9")
    assert await azurite.TOOL.ensure() == folder


def test_it_is_started_with_the_node_it_was_installed_with(programs: Programs) -> None:
    node(programs)
    programs("npm", NPM)
    command = azurite.command(asyncio.run(azurite.TOOL.ensure()))
    output = subprocess.run([*command, "--silent"], cwd="/", capture_output=True, text=True, check=True).stdout
    assert output == f"started with {command[1]} --silent\n"
    assert command[1].endswith(f"{SCRIPT}/main.js")


async def test_a_node_that_went_away_is_replaced_without_installing_again(programs: Programs) -> None:
    real = node(programs)
    programs("npm", NPM)
    folder = await azurite.TOOL.ensure()
    real.unlink()
    assert azurite.TOOL.find() is None
    programs("npm", "exit 9")
    other = programs("other-node", "echo the other one")
    programs("node", f"echo v22.1.0 {other}")
    assert await azurite.TOOL.ensure() == folder
    assert output_of(azurite.command(folder)[0]) == "the other one"


async def test_a_failing_npm_leaves_nothing_and_is_told(programs: Programs, cache: Path) -> None:
    node(programs)
    programs("npm", "touch half; echo npm error ENOTFOUND; exit 1")
    with pytest.raises(ToolError, match="npm error ENOTFOUND") as caught:
        await azurite.TOOL.ensure()
    log = cache / "logs" / "azurite.log"
    assert f"\n  log: {log}\n  fix: Check the network" in str(caught.value)
    assert "npm error ENOTFOUND" in log.read_text()
    assert [path.name for path in (cache / "tools").iterdir() if path.is_dir()] == []
    programs("npm", NPM)
    assert await azurite.TOOL.ensure()


async def test_an_npm_that_installs_something_else_is_told(programs: Programs) -> None:
    node(programs)
    programs("npm", "true")
    with pytest.raises(ToolError, match=r"npm installed no node_modules/azurite"):
        await azurite.TOOL.ensure()
