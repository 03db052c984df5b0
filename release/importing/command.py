"""The command `release import`."""

from __future__ import annotations

import json
import subprocess

import click

from infra import NAMESPACE
from release.errors import ReleaseError
from release.importing.source import bring
from release.importing.survey import Survey, survey
from release.project import program_folder, project_folder
from release.terminal.console import new_console
from release.terminal.tables import columns

_KEY = f"{NAMESPACE}:assets.files"


@click.command("import")
@click.argument("source")
@click.option("--into", metavar="NAME", help="Folder for the files, if they are not in this project yet.")
@click.option("--stack", "-s", help="Stack whose file gets the configuration. Default: print it only.")
def import_project(source: str, into: str | None, stack: str | None) -> None:
    """Take over a project of `az ml` YAML, with the layout that it has.

    SOURCE is a folder or the URL of a git repository. A folder of this project stays where it is. Anything else is
    copied into the project first. The command says what is managed and what is left to `az ml`, and why. It changes
    nothing in Azure: the next `pulumi up` does.
    """
    console = new_console()
    root = program_folder()
    found = survey(root, bring(source, root, into))
    managed = ((asset.path, asset.id.kind.replace("_", " "), asset.name) for asset in found.managed)
    console.print(columns(["file", "kind", "name"], managed, title="managed"))
    if found.left:
        left = ((each.path, each.what, each.why) for each in found.left)
        console.print(columns(["file", "what", "why"], left, title="left to az ml"))
    if found.computes:
        console.print(f"The files name these computes: {', '.join(found.computes)}", highlight=False)
    console.print(f"{_KEY}: {', '.join(found.patterns)}", highlight=False, soft_wrap=True)
    if stack is not None:
        _configure(found, stack)
        console.print(f"Pulumi.{stack}.yaml has these patterns now. Next: release preview --stack {stack}")


def _configure(found: Survey, stack: str) -> None:
    """Add the patterns to a stack file, after those that it has."""
    config = ["pulumi", "--cwd", str(project_folder()), "config", "--stack", stack]
    there = subprocess.run([*config, "get", "--path", _KEY], capture_output=True, text=True, check=False)
    known = json.loads(there.stdout) if there.returncode == 0 else []
    for number, pattern in enumerate(each for each in found.patterns if each not in known):
        command = [*config, "set", "--path", f"{_KEY}[{len(known) + number}]", "--", pattern]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ReleaseError(f"the stack file of '{stack}' cannot be changed: {done.stderr.strip()}")
