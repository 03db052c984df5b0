"""Staging of folders for upload, so that Azure gets exactly the files that were hashed.

azure-ai-ml reads only the ignore file of the uploaded folder. The catalogue follows the whole hierarchy, as git does.
This module therefore copies a folder without its ignored files, and the copy is uploaded. The copy has the planned
hash, whatever happens to the files meanwhile.
"""

from __future__ import annotations

import copy
import functools
import io
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi_azureml.operations.errors import AssetError
from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.assets import get, put
from pulumi_azureml.planning.azure_check import DECISIVE
from pulumi_azureml.planning.project import project_root
from pulumi_azureml.planning.stat_cache import StatCache
from pulumi_azureml.planning.tree import ZIP, Tree, TreeError, TreeFile, TreeReader, digest, unpacked

_PREFIX = "pulumi-azureml-upload-"
_KEPT_SECONDS = 86_400
# A larger file is uploaded from its place: many machines have their temporary folder in memory.
_MOST_COPIED = 1 << 28


@contextmanager
def staged(
    definition: dict[str, Any], trees: list[dict[str, Any]], path: str, root: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the definition with its files and folders replaced by copies that contain exactly what was hashed.

    A large file stays in its place. It is compared again after the upload.

    Args:
        definition: CLI v2 YAML as a dictionary, with local paths relative to the project.
        trees: the files and folders in it: {keys: the place in the definition, hash: the hash of the tree}.
        path: the asset's YAML file, which is not part of any tree. The keys of an asset that is defined inline follow
            after `#`.
        root: the project's folder. By default, the one of the working directory.

    Raises:
        AssetError: a file or folder has changed since the plan hashed it, or while it was uploaded.
    """
    result = copy.deepcopy(definition)
    root = root or project_root()
    reader = TreeReader(root, StatCache(None))
    _clear_leftovers(Path(tempfile.gettempdir()))
    in_place: list[TreeFile] = []
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as scratch:
        for number, each in enumerate(trees):
            if not _has(result, each["keys"]):
                continue  # a build context from which the stack built the image
            named = get(result, each["keys"])
            folder = unpacked(root, named)
            tree = _read(reader, folder, path)
            if tree.hash != each["hash"]:
                raise _changed(folder, path)
            # Keep the name, because code finds a mounted model by it.
            target = Path(scratch, str(number), Path(root, folder).resolve().name)
            try:
                if not tree.is_folder and Path(tree.files[0].source).stat().st_size > _MOST_COPIED:
                    in_place.append(tree.files[0])
                    continue
                for file in tree.files:
                    _copy(file, target / file.path if tree.is_folder else target, path)
            except FileNotFoundError as error:
                raise _changed(folder, path) from error
            put(result, each["keys"], str(target) if folder == named else f"{target}{ZIP}")
        yield result
    for file in in_place:
        if digest(Path(file.source)) != file.digest:
            raise AssetError(
                f"{file.source} changed while it was uploaded (for {path}), so Azure has other content than planned; "
                "archive that version, and run the update again"
            )


def _copy(file: TreeFile, target: Path, path: str) -> None:
    """Copy a file. Raises AssetError if the copy is not what was hashed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.source, target)
    if digest(target) != file.digest:
        raise _changed(file.source, path)


def _changed(what: str, path: str) -> AssetError:
    return AssetError(f"{what} changed after it was planned (for {path}); run the update again")


@functools.cache
def _clear_leftovers(folder: Path) -> None:
    """Remove copies older than a day that this user's killed processes left. Do this once per process."""
    for each in folder.glob(f"{_PREFIX}*-*"):
        found = re.fullmatch(rf"{_PREFIX}(\d+)-\w+", each.name)
        try:
            there = each.stat()
            old = there.st_uid == os.getuid() and time.time() - there.st_mtime > _KEPT_SECONDS
        except OSError:
            continue  # another process removed it first
        if found and old and not _runs(int(found[1])):
            shutil.rmtree(each, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def load(loader: str, definition: dict[str, Any], root: Path | None = None) -> Any:
    """Return azure-ai-ml's entity for a definition.

    Args:
        loader: the name of its function, such as `load_component`.
        definition: CLI v2 YAML as a dictionary, local paths relative to the project or absolute.
        root: the project's folder. By default, the one of the working directory.
    """
    from azure.ai.ml.entities import _load_functions

    # Pass nearly everything as overrides of a file: writing and parsing YAML takes longer than the rest.
    origin = str((root or project_root()) / "Pulumi.yaml")
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as folder:
        given = copy.deepcopy(control_flow.with_files(definition, Path(folder)))
        file = io.StringIO(json.dumps({key: given.pop(key) for key in DECISIVE if key in given}))
        return getattr(_load_functions, loader)(file, relative_origin=origin, params_override=[given])


def _read(reader: TreeReader, folder: str, path: str) -> Tree:
    own = path.partition("#")[0]
    try:
        return reader.read(folder, without=own if folder == "." or own.startswith(folder + "/") else "")
    except TreeError as error:
        raise AssetError(f"{error}, though it was when {path} was planned; {error.fix}") from error


def _has(definition: Any, keys: list[Any]) -> bool:
    try:
        get(definition, tuple(keys))
    except (KeyError, IndexError, TypeError):
        return False
    return True
