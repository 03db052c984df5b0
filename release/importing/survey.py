"""What the catalogue makes of a folder of foreign YAML: what is managed, what is left to `az ml`, and why."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi_azureml import Asset, CatalogueErrors, CatalogueSettings, Folders, Left, load_catalogue
from pulumi_azureml.planning import Problem
from pulumi_azureml.planning.finding import is_definition
from pulumi_azureml.planning.ignore import literal, selects
from release.errors import ReleaseError

# The catalogue checks whether the stack has a registry. The survey does not ask which one.
_ANY_REGISTRY = "registry"


@dataclass(frozen=True)
class Survey:
    """The assets of a folder, the files that stay with `az ml`, and the patterns that select the others.

    Attributes:
        managed: the planned assets of the folder.
        left: files that are not planned.
        patterns: the patterns for `assets.files`.
        computes: the compute targets that the assets name.
    """

    managed: tuple[Asset, ...]
    left: tuple[Left, ...]
    patterns: tuple[str, ...]
    computes: tuple[str, ...]


def survey(root: Path, folder: str, *, confined: bool = False) -> Survey:
    """Plan the files of a folder together with those of the project.

    A file with a problem is left out by a pattern of its own. A file that refers to it is left out too.

    Args:
        root: The project.
        folder: The folder.
        confined: Leave out what would upload a file from outside of the folder.

    Raises:
        ReleaseError: the project's own files have problems.
    """
    refused: dict[str, Left] = {}
    # azure-ai-ml takes seconds to load all of it, so it reads only what has no other problem.
    asks_client = False
    while True:
        patterns = (f"/{literal(folder)}/", *(f"!/{literal(path)}" for path in refused))
        folders = Folders(files=patterns)
        settings = CatalogueSettings(None, registry=_ANY_REGISTRY, folders=folders, check_with_azure=asks_client)
        try:
            plan = load_catalogue(root, settings)
        except CatalogueErrors as errors:
            foreign: dict[str, str] = {}
            for each in errors.problems:
                if not each.file.startswith(f"{folder}/"):
                    raise ReleaseError(str(errors)) from errors
                foreign[each.file] = f"{foreign[each.file]}\n{_reason(each)}" if each.file in foreign else _reason(each)
            new = {path: reason for path, reason in foreign.items() if path not in refused}
            # A file that is left out and reported again is read because another one refers to it.
            users = {
                user: f"it refers to {path}"
                for path in foreign.keys() - new.keys()
                for user in _users(root, folder, path)
                if user not in refused
            }
            if not new and not users:
                raise ReleaseError(str(errors)) from errors
            refused |= {path: Left(path, "refused", reason) for path, reason in {**users, **new}.items()}
            continue
        outside = reaching_out(root, plan.assets, folder)
        if confined and outside:
            reasons = {
                **{user: f"it refers to {path}" for path in outside for user in _users(root, folder, path)},
                **{path: f"it would upload {file}, which is outside of {folder}/" for path, file in outside.items()},
            }
            refused |= {path: Left(path, "refused", reason) for path, reason in reasons.items()}
            continue
        if not asks_client:
            asks_client = True
            continue
        managed = tuple(
            sorted((each for each in plan.assets if each.path.startswith(f"{folder}/")), key=lambda each: each.path)
        )
        left = tuple(sorted({*refused.values(), *(each for each in plan.left if each.path.startswith(f"{folder}/"))}))
        computes = {name for asset in managed for name in _computes(asset.definition)}
        return Survey(managed, left, patterns, tuple(sorted(computes)))


def left_out(root: Path, found: Survey, written: Sequence[str], file: str) -> dict[str, Left]:
    """Return the files of a survey that the patterns in a stack file leave out, by their paths.

    The patterns are a user's own, or those of an earlier import that refused a file.
    """
    patterns = (*written, *(each for each in found.patterns if each not in written))
    settings = CatalogueSettings(None, registry=_ANY_REGISTRY, folders=Folders(files=patterns), check_with_azure=False)
    try:
        planned = {asset.id for asset in load_catalogue(root, settings).assets}
    except CatalogueErrors:
        return {}  # a preview says what is wrong between the files that are not left out
    lost: dict[str, Left] = {}
    for asset in found.managed:
        path = asset.path.partition("#")[0]
        pattern = next(
            (each for each in reversed(written) if each.startswith("!") and selects((each[1:],), path)), None
        )
        if asset.id not in planned and pattern is not None:
            why = f"{file} has the pattern '{pattern}'; remove it to manage this file"
            lost[path] = Left(path, "left out", why)
    return lost


def reaching_out(root: Path, assets: Iterable[Asset], folder: str) -> dict[str, str]:
    """Return the YAML files of a folder that contain a file from outside of it, by a path or a link, with this file."""
    top, inner = os.path.realpath(root), os.path.realpath(root / folder)
    found = {}
    for each in assets:
        if not each.path.startswith(f"{folder}/"):
            continue
        file = each.path.partition("#")[0]
        used = (str(root / file), *(entry.source for tree in each.trees.values() for entry in tree.files))
        real = (os.path.realpath(entry) for entry in used)
        outside = next((entry for entry in real if not entry.startswith(f"{inner}{os.sep}")), None)
        if outside is not None:
            found[file] = Path(outside).relative_to(top).as_posix()
    return found


def _reason(problem: Problem) -> str:
    place = f"line {problem.line}: " if problem.line else ""
    return f"{place}{problem.message}; {problem.fix}"


def _users(root: Path, folder: str, path: str) -> Iterator[str]:
    """Yield the files of a folder that name a file."""
    name = path.rpartition("/")[2].encode()
    for each in sorted((root / folder).rglob("*")):
        if is_definition(each.name) and each != root / path and each.is_file() and name in each.read_bytes():
            yield each.relative_to(root).as_posix()


def _computes(value: Any) -> Iterator[str]:
    """Yield the compute targets in a definition."""
    if isinstance(value, list):
        for item in value:
            yield from _computes(item)
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key in ("compute", "default_compute") and isinstance(item, str):
            name = item.removeprefix("azureml:")
            if name not in ("serverless", "local") and "${{" not in name and "/" not in name:
                yield name
        else:
            yield from _computes(item)
