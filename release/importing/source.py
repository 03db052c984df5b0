"""Bring a foreign project into this one, as it is."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from release.errors import ReleaseError
from release.git_address import without_secret

_URL = re.compile(r"(https|ssh|file)://.+|[\w.-]+@[\w.-]+:.+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NO_MODULE = "__init__.py"
# What a package that tries `import simplejson.decoder` finds in a folder `simplejson/` from elsewhere.
_REFUSAL = '''\
"""Files that `release import` took over. Python must not run them on this machine because of their folder's name."""

raise ModuleNotFoundError(f"{__name__}/ has the files of an imported project, and is no module", name=__name__)
'''


@contextmanager
def brought(source: str, root: Path, into: str | None) -> Iterator[tuple[str, bool]]:
    """Give the path, relative to the root, of a folder with the project, and whether it comes from elsewhere.

    A project that is elsewhere is copied or cloned.

    A copy stays only if the block succeeds. An error or an interruption, here or in the block, removes it.

    Raises:
        ReleaseError: there is no such project, or the folder for it exists.
    """
    is_url = _URL.fullmatch(source) is not None and not Path(source).exists()
    place = Path(source).resolve()
    if not is_url and not place.is_dir():
        raise ReleaseError(f"'{source}' is neither a folder nor the URL of a git repository")
    if not is_url and place.is_relative_to(root.resolve()):
        inside = place.relative_to(root.resolve()).as_posix()
        if inside == ".":
            raise ReleaseError("the project cannot import itself", fix="name the folder with the files to import")
        yield inside, False
        return
    name = into or re.sub(r"\.git$", "", re.split(r"[/:]", source.rstrip("/"))[-1])
    if not _NAME.fullmatch(name):
        raise ReleaseError(f"'{name}' is not a name for a folder", fix="use --into NAME")
    target = root / name
    if target.exists():  # Python takes such a folder for a module too
        raise ReleaseError(f"folder {name}/ exists already", fix="import it by its path, or use --into NAME")
    if name.isidentifier() and _is_module(name):
        raise _shadow(name)
    try:
        if is_url:
            _clone(source, target)
        else:
            _copy(place, target)
        if name.isidentifier():
            if any(target.glob("__init__.*")):
                raise _shadow(name)
            # Without it, each module in the folder can be imported: packages try to import some that are not installed.
            (target / _NO_MODULE).write_text(_REFUSAL, "utf-8")
        yield name, True
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return True


def _shadow(name: str) -> ReleaseError:
    """Return the error for files from elsewhere that Python would import: it looks in the project's folder first."""
    return ReleaseError(
        f"Python would import folder {name}/ as the module '{name}', and run its code on this machine",
        fix=f"use --into with a name that no module has, such as {name.replace('_', '-')}-project",
    )


def _copy(place: Path, target: Path) -> None:
    try:
        shutil.copytree(place, target, ignore=shutil.ignore_patterns(".git"), symlinks=True)
    except shutil.Error as error:
        file, _, reason = error.args[0][0]
        raise ReleaseError(f"'{place}' cannot be copied: {file}: {reason}") from error
    except OSError as error:
        raise ReleaseError(f"'{place}' cannot be copied: {error}") from error


def _clone(url: str, target: Path) -> None:
    done = subprocess.run(
        ["git", "clone", "--quiet", "--depth", "1", "--", url, str(target)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git failed"])[-1]
        raise ReleaseError(without_secret(f"git cannot clone {url}: {reason}"))
    shutil.rmtree(target / ".git")
