"""Find the YAML files of a project's folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pulumi_azureml.planning.folders import Folders
from pulumi_azureml.planning.ignore import rules_for
from pulumi_azureml.planning.problems import Problem

_ENDINGS = (".yml", ".yaml")


def find(root: Path, folders: Folders, problems: list[Problem]) -> Iterator[str]:
    """Yield the path of every YAML file in the project's folders that is not ignored.

    Ignored folders are not entered. Outside the folders of the conventions, folders whose name starts with a dot are
    not entered either. `problems` gets folders with the name of a definition.
    """
    usual = [name for name in folders.roots() if (root / name).is_dir()]
    known = {path for folder in usual for path in _walk(root, folder, problems, enter_hidden=True)}
    yield from known
    if folders.files:
        yield from (path for path in _walk(root, ".", []) if path not in known and folders.selects(path))


def _walk(root: Path, top: str, problems: list[Problem], *, enter_hidden: bool = False) -> Iterator[str]:
    open_folders = [(top, rules_for(root, top.removeprefix(".")))]
    while open_folders:
        folder, rules = open_folders.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = entry.name if folder == "." else f"{folder}/{entry.name}"
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not entry.name.endswith(_ENDINGS):
                    continue
                if rules.ignores(path, is_folder=is_folder):
                    continue
                if is_folder and entry.name.endswith(_ENDINGS):
                    fix = "rename the folder, or replace it with the file"
                    problems.append(Problem(path, 0, "is a folder with the name of a definition", fix))
                if is_folder and (enter_hidden or not entry.name.startswith(".")):
                    open_folders.append((path, rules.enter(root / path, path)))
                elif not is_folder:
                    yield path
