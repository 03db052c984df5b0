"""Take over what a workspace already has: write the YAML of it, for the next update to adopt."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_azureml.kinds import KINDS as ASSET_KINDS
from pulumi_azureml.planning import Catalogue, CatalogueErrors, CatalogueSettings, load
from release.assets import contents
from release.assets.definitions import KINDS, CannotBeWrittenError, Found, not_a_definition
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# In which registry shared assets lie says nothing of what the project defines.
_ANY_REGISTRY = "any"


def plan(root: Path, computes: Collection[str] | None = None) -> Catalogue:
    """Return what the project defines; with `computes`, checked for a stack that has those.

    Raises:
        ReleaseError: its files have problems.
    """
    try:
        return _load(root, computes)
    except CatalogueErrors as error:
        raise ReleaseError(str(error)) from error


def survey(ml: MLClient, root: Path, kind: str | None = None, names: Collection[str] = ()) -> Iterator[Found]:
    """Yield what the workspace holds and the project does not define, described, or with the reason why it is not.

    Args:
        ml: the workspace's client.
        root: the project.
        kind: only this kind.
        names: only these of it; one that is not there is an error.

    Raises:
        ReleaseError: the project's files have problems, or nothing of a name exists.
    """
    if kind is not None and kind not in KINDS:
        raise ReleaseError(f"'{kind}' is no kind that can be adopted; kinds: {', '.join(KINDS)}")
    known = {(asset.kind, asset.name) for asset in plan(root).assets}
    for each in KINDS if kind is None else (kind,):
        listed = sorted({str(found.name) for found in getattr(ml, KINDS[each].operations).list()})
        if missing := sorted(set(names) - set(listed)):
            raise ReleaseError(f"the workspace has no {each} '{missing[0]}'; it has: {', '.join(listed) or 'none'}")
        for name in names or listed:
            if (each, name) not in known:
                yield _describe(ml, root, each, name)


def write(ml: MLClient, root: Path, found: Found) -> list[str]:
    """Write the files of what was found, and download its folders; return the paths of what was written.

    Raises:
        ReleaseError: its files cannot be read; nothing of it is left.
    """
    from azure.core.exceptions import AzureError

    written: list[str] = []
    try:
        for folder, address in found.folders.items():
            for path, content in _download(ml, address):
                _create(root, f"{folder}/{path}", content, written)
        for path, text in found.files.items():
            _create(root, path, text.encode(), written)
    except (AzureError, OSError, ReleaseError) as error:
        _take_back(root, written)
        raise ReleaseError(f"{found.kind} '{found.name}' cannot be written: {error}") from error
    return written


def settle(root: Path, written: Mapping[str, Found]) -> list[Found]:
    """Take back what the project's own checks refuse, and return it with the reasons.

    Args:
        root: the project.
        written: path → whose it is, of every file that was written.

    Raises:
        ReleaseError: files that were there before have problems.
    """
    refused: list[Found] = []
    while True:
        try:
            _load(root)
        except CatalogueErrors as errors:
            reasons = {
                (written[each.file].kind, written[each.file].name): each.message
                for each in reversed(errors.problems)
                if each.file in written
            }
            if not reasons:
                raise ReleaseError(str(errors)) from errors
            _take_back(root, (path for path, found in written.items() if (found.kind, found.name) in reasons))
            gone = {(found.kind, found.name): found for found in written.values()}
            refused += [dataclasses.replace(gone[key], reason=reason) for key, reason in reasons.items()]
            written = {path: found for path, found in written.items() if (found.kind, found.name) not in reasons}
        else:
            return refused


def _load(root: Path, computes: Collection[str] | None = None) -> Catalogue:
    known = frozenset(computes) if computes is not None else None
    return load(root, ASSET_KINDS, settings=CatalogueSettings(known, registry=_ANY_REGISTRY))


def _create(root: Path, path: str, content: bytes, written: list[str]) -> None:
    """Write a file that is not there yet, and its path to `written` as soon as it is."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with (root / path).open("xb") as file:
        written.append(path)
        file.write(content)


def _take_back(root: Path, paths: Iterable[str]) -> None:
    """Delete files and the folders that are empty then: what is there is not adopted another time."""
    for path in paths:
        (root / path).unlink(missing_ok=True)
        for folder in (root / path).relative_to(root).parents[:-1]:
            if any((root / folder).iterdir()):
                break
            (root / folder).rmdir()


def _describe(ml: MLClient, root: Path, kind: str, name: str) -> Found:
    import marshmallow
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    reason = not_a_definition(kind, name)
    if reason:
        return Found(kind, name, reason=reason)
    try:
        found = KINDS[kind].describe(ml, name)
    except CannotBeWrittenError as error:
        return Found(kind, name, reason=str(error))
    except ResourceNotFoundError:
        return Found(kind, name, reason="all its versions are archived")
    except (MlException, marshmallow.ValidationError, HttpResponseError) as error:
        return Found(kind, name, reason=f"it cannot be read: {' '.join(str(error).split())[:300]}")
    taken = next((path for path in (*found.files, *found.folders) if (root / path).exists()), None)
    if taken is not None:
        return Found(kind, name, found.version, reason=f"{taken} exists already, and is not overwritten")
    return found


def _download(ml: MLClient, address: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file of a folder of blobs; ReleaseError for a folder without any."""
    container, path = contents.files(ml, address)
    is_empty = True
    with container as client:
        for relative, content in contents.downloads(client, path):
            yield relative, content.readall()
            is_empty = False
    if is_empty:
        raise ReleaseError(f"there are no files at {address}")
