"""The command `release import`."""

from __future__ import annotations

from pathlib import Path

import click

from infra import NAMESPACE
from release import stack_file
from release.errors import ReleaseError
from release.importing.source import brought
from release.importing.survey import left_out, reaching_out, survey
from release.project import program_folder, project_folder
from release.terminal.console import new_console
from release.terminal.tables import columns

_GROUP, _LIST = f"{NAMESPACE}:assets", "files"


@click.command("import")
@click.argument("source")
@click.option("--into", metavar="NAME", help="Folder for the files, if they are not in this project yet.")
@click.option("--stack", "-s", help="Stack whose file gets the configuration. Default: print it only.")
def import_project(source: str, into: str | None, stack: str | None) -> None:
    """Take over a project of `az ml` YAML, with the layout that it has.

    SOURCE is a folder or the URL of a git repository. A folder of this project stays where it is. Anything else is
    copied into the project first. The command says what is managed and what is left to `az ml`, and why. It changes
    nothing in Azure: the next `pulumi up` does. A file of a project from elsewhere is left out if it would upload what
    is outside of its folder. If the command fails, it leaves no copy.
    """
    file = stack_file.find(project_folder(), stack) if stack is not None else None
    root = program_folder()
    with brought(source, root, into) as (folder, is_foreign):
        _take_over(root, folder, stack, file, is_foreign=is_foreign)


def _take_over(root: Path, folder: str, stack: str | None, file: Path | None, *, is_foreign: bool) -> None:
    """Say what a folder defines, and write its patterns to the file of a stack."""
    console = new_console()
    found = survey(root, folder, confined=is_foreign)
    if not found.managed and not found.left:
        raise ReleaseError(
            f"no YAML file below {folder}/ defines an asset of Azure Machine Learning, so there is nothing to import",
            fix="import the folder with the YAML of `az ml` (CLI v2); assets that Python code creates have none",
        )
    lost = left_out(root, found, _patterns(file), file.name) if file is not None else {}
    managed = (
        (asset.path, asset.id.kind.replace("_", " "), asset.name)
        for asset in found.managed
        if asset.path.partition("#")[0] not in lost
    )
    console.print(columns(["file", "kind", "name"], managed, title="managed"))
    left = sorted((*found.left, *lost.values()))
    if left:
        rows = ((each.path, each.what, each.why) for each in left)
        console.print(columns(["file", "what", "why"], rows, title="left to az ml"))
    outside = reaching_out(root, found.managed, folder)
    if outside:
        console.print()
        console.print(columns(["file", "uploads"], sorted(outside.items()), title=f"uploads from outside of {folder}/"))
    console.print()
    if found.computes:
        console.print(f"The files name these computes: {', '.join(found.computes)}", highlight=False)
    if file is None:
        console.print(f"{_GROUP}.{_LIST}: {', '.join(found.patterns)}", highlight=False, soft_wrap=True)
        console.print(f"Next: release import {folder} --stack STACK adds these patterns to the file of a stack.")
        return
    missing = sorted({*found.computes} - _computes(file))
    if missing:
        console.print(f"{file.name} has no {', '.join(missing)}. Add it to {NAMESPACE}:compute: see docs/compute.md")
    stack_file.extend(file, _GROUP, _LIST, found.patterns)
    console.print(f"{file.name} has the patterns of these files now. Next: make preview STACK={stack}")


def _patterns(file: Path) -> tuple[str, ...]:
    """Return the patterns that a stack file has."""
    group = (stack_file.read(file).get("config") or {}).get(_GROUP)
    written = group.get(_LIST) if isinstance(group, dict) else None
    return tuple(str(each) for each in written) if isinstance(written, list) else ()


def _computes(file: Path) -> set[str]:
    """Return the computes that a stack file names. A preview reports those that are not written as they should be."""
    config = stack_file.read(file).get("config") or {}
    lists = [each for group in ("compute", "instances") for each in config.get(f"{NAMESPACE}:{group}") or []]
    named = {str(each["name"]) for each in lists if isinstance(each, dict) and "name" in each}
    return named | {*map(str, config.get(f"{NAMESPACE}:attachedComputes") or [])}
