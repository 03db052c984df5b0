"""Write the YAML of a workspace's existing assets, so that the next update can take them over."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pulumi_azureml import Catalogue, CatalogueErrors, CatalogueSettings, load_catalogue
from pulumi_azureml.planning import ENDPOINTS
from release.assets import contents
from release.assets.definitions import KINDS, CannotBeWrittenError, Found, not_a_definition
from release.errors import ReleaseError
from release.training.outcome import model_of

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# The catalogue needs a registry's name for shared assets. Adoption does not depend on it.
_ANY_REGISTRY = "any"


def plan(root: Path, computes: Collection[str] | None = None) -> Catalogue:
    """Return the assets that the project defines. With `computes`, check references to compute clusters too.

    Raises:
        ReleaseError: The project's files have problems.
    """
    try:
        return _load(root, computes)
    except CatalogueErrors as error:
        raise ReleaseError(str(error)) from error


def survey(
    ml: MLClient,
    root: Path,
    kind: str | None = None,
    names: Collection[str] = (),
    endpoints: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Found]:
    """Yield the workspace's assets that the project does not define: their YAML, or the reason that there is none.

    Args:
        ml: Client of the workspace.
        root: Folder of the project.
        kind: Yield assets of this kind only.
        names: Yield these assets of the kind only. Each must exist.
        endpoints: The project's endpoints by name in the YAML, with their names in the workspace.

    Raises:
        ReleaseError: The project's files have problems, or an asset does not exist.
    """
    if kind is not None and kind not in KINDS:
        raise ReleaseError(f"'{kind}' is not a kind that you can adopt; kinds: {', '.join(KINDS)}")
    catalogue = plan(root)
    trained = {model_of(each.definition): each.name for each in catalogue.of("pipeline_job")}
    known = {
        (asset.kind, endpoints.get(asset.name, asset.name) if asset.kind in ENDPOINTS else asset.name)
        for asset in catalogue.assets
    }
    for each in KINDS if kind is None else (kind,):
        listed = sorted({str(found.name) for found in getattr(ml, KINDS[each].operations).list()})
        if missing := sorted(set(names) - set(listed)):
            raise ReleaseError(f"the workspace has no {each} '{missing[0]}'; it has: {', '.join(listed) or 'none'}")
        for name in names or listed:
            if each == "model" and name in trained:
                yield Found(each, name, reason=f"pipeline '{trained[name]}' registers its versions")
            elif (each, name) not in known:
                yield _describe(ml, root, each, name)


def write(ml: MLClient, root: Path, found: Found) -> list[str]:
    """Write an asset's files, download its folders, and return the paths that were written.

    Raises:
        ReleaseError: A file cannot be read or written. All files of the asset are deleted again.
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
        _delete(root, written)
        raise ReleaseError(f"{found.kind} '{found.name}' cannot be written: {error}") from error
    except BaseException:  # an interruption
        _delete(root, written)
        raise
    return written


@contextmanager
def undone_after_an_error(root: Path) -> Iterator[dict[str, Found]]:
    """Give a place for the files that are written, by path. After an error or an interruption, they are deleted again.

    An existing file prevents another adoption, which would not say what its asset needs.
    """
    written: dict[str, Found] = {}
    try:
        yield written
    except BaseException:
        _delete(root, written)
        raise


def settle(root: Path, written: Mapping[str, Found]) -> list[Found]:
    """Delete the files that the project's checks refuse, and return their assets with the reasons.

    Args:
        root: Folder of the project.
        written: Each file that was written, by path, and its asset.

    Raises:
        ReleaseError: Other files of the project have problems.
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
            _delete(root, (path for path, found in written.items() if (found.kind, found.name) in reasons))
            gone = {(found.kind, found.name): found for found in written.values()}
            refused += [dataclasses.replace(gone[key], reason=reason) for key, reason in reasons.items()]
            written = {path: found for path, found in written.items() if (found.kind, found.name) not in reasons}
        else:
            return refused


def _load(root: Path, computes: Collection[str] | None = None) -> Catalogue:
    known = frozenset(computes) if computes is not None else None
    return load_catalogue(root, CatalogueSettings(known, registry=_ANY_REGISTRY))


def _create(root: Path, path: str, content: bytes, written: list[str]) -> None:
    """Create a file, and add its path to `written`. Fail if the file exists."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    with (root / path).open("xb") as file:
        written.append(path)
        file.write(content)


def _delete(root: Path, paths: Iterable[str]) -> None:
    """Delete files, and the folders that are empty then. An existing path would prevent another adoption."""
    for path in paths:
        (root / path).unlink(missing_ok=True)
        for folder in (root / path).relative_to(root).parents[:-1]:
            if not (root / folder).exists():
                continue
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
        return Found(kind, name, reason="all versions are archived")
    except (MlException, marshmallow.ValidationError, HttpResponseError) as error:
        return Found(kind, name, reason=f"it cannot be read: {' '.join(str(error).split())[:300]}")
    taken = next((path for path in (*found.files, *found.folders) if (root / path).exists()), None)
    if taken is not None:
        return Found(kind, name, found.version, reason=f"{taken} already exists and is not overwritten")
    return found


def _download(ml: MLClient, address: str) -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of each file in a folder of blobs.

    Raises:
        ReleaseError: The folder has no files.
    """
    container, path = contents.files(ml, address)
    is_empty = True
    with container as client:
        for relative, content in contents.downloads(client, path):
            yield relative, content.readall()
            is_empty = False
    if is_empty:
        raise ReleaseError(f"there are no files at {address}")
