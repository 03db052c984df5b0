"""Find the YAML files of a project's folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pulumi_azureml.planning.folders import Folders
from pulumi_azureml.planning.ignore import rules_for, selects
from pulumi_azureml.planning.problems import Problem

_ENDINGS = (".yml", ".yaml")


def is_definition(name: str) -> bool:
    """Whether a file has the ending of YAML. Case does not count."""
    return name.lower().endswith(_ENDINGS)


def find(root: Path, folders: Folders, problems: list[Problem], unused: list[str]) -> Iterator[str]:
    """Yield the path of every YAML file in the project's folders that is not ignored.

    Ignored folders are not entered. `problems` gets folders with the name of a definition, and `unused` the patterns
    that select no file.
    """
    usual = [name for name in folders.roots() if (root / name).is_dir()]
    known = {path for folder in usual for path in _walk(root, folder, problems)}
    yield from known
    if not folders.files:
        return
    missing = [each for each in folders.files if each.strip() and not each.startswith(("!", "#"))]
    for path in _walk(root, ".", []):
        missing = [each for each in missing if not selects((each,), path)]
        if path not in known and folders.selects(path):
            yield path
    unused += missing


def _walk(root: Path, top: str, problems: list[Problem]) -> Iterator[str]:
    open_folders = [(top, rules_for(root, top.removeprefix(".")))]
    while open_folders:
        folder, rules = open_folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not is_definition(entry.name):
                    continue
                if rules.ignores(path, is_folder=is_folder):
                    continue
                if is_folder and is_definition(entry.name):
                    fix = "rename the folder, or replace it with the file"
                    problems.append(Problem(path, 0, "is a folder with the name of a definition", fix))
                if is_folder:
                    open_folders.append((path, rules.enter(root / path, path)))
                else:
                    yield path
