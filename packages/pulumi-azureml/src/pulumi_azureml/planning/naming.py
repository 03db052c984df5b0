"""Names of assets whose YAML has none: they come from the place where the asset is defined."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable

from pulumi_azureml.planning.documents import KeyPath

# Keys that say nothing in a name.
_PLAIN = frozenset({"jobs", "component", "trial", "environment", "model", "task", "path", "inputs", "create_job"})
# Names of files that say what a file is, and not which one.
_GENERIC = re.compile(r"(component|environment|env|spec|asset|data|model|conda)", re.IGNORECASE)


def of_file(kind: str, path: str, name: str = "") -> str:
    """Return a name for an asset from its file. `name` is the one in the file, which another asset has already."""
    folder, file = posixpath.split(path)
    stem, above = posixpath.splitext(file)[0], posixpath.basename(folder)
    if name:
        return valid(kind, f"{name}-{above or stem}")
    return valid(kind, above if above and _GENERIC.fullmatch(stem) else stem)


def of_part(kind: str, owner: str, keys: KeyPath) -> str:
    """Return a name for an asset that is defined inside another one."""
    return valid(kind, "-".join([owner.replace("/", "-"), *(str(key) for key in keys if key not in _PLAIN)]))


def of_path(path: str) -> str:
    """Return a name from a file's path below the folder of a convention."""
    return valid("", posixpath.splitext(path)[0].replace("/", "-"))


def free(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name, with a number if it is taken."""
    candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(each for each in candidates if not is_taken(each))


def valid(kind: str, text: str) -> str:
    """Return a text as a valid name of a kind of asset."""
    if not text:
        return ""
    if kind == "component":
        name = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")
        return name if re.match(r"[a-z]", name) else f"c_{name}"
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.") or "asset"
