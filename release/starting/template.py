"""Render this repository as a template, by copier."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from release.errors import ReleaseError
from release.git_address import has_secret, without_secret

_MISSING = re.compile('Question "([a-z]+)" is required')  # copier's text


def render(source: str, folder: Path, answers: Mapping[str, str], *, asks: bool) -> None:
    """Make a project of the template at a source in a folder, which does not exist or is empty.

    What is rendered is the last tag of a remote repository, or the commit of a local one.

    Raises:
        ReleaseError: the folder is not empty, the source is not a repository with a template, or an answer is missing
            or wrong.
    """
    import copier  # only needed here, and slow to import
    from copier.errors import CopierError
    from plumbum import ProcessExecutionError

    if has_secret(source):
        raise ReleaseError(
            f"{without_secret(source)} is given with a password or a token, which would be in .copier-answers.yml",
            fix="leave it out, and let a credential helper of git give it: `git help credentials`",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ReleaseError(f"'{folder}' is not an empty folder", fix="choose another name")
    place = Path(source)
    is_local = place.is_dir()
    if is_local and not _is_repository(place):
        raise ReleaseError(f"'{source}' is not a git repository", fix="use --from with the URL of one")
    # As a URL: copier would walk through every object of a repository that it clones by its path.
    url = f"git+{place.resolve().as_uri()}" if is_local else source
    try:
        with _whole(folder):
            copier.run_copy(
                url, folder, data=dict(answers), vcs_ref="HEAD" if is_local else None, defaults=not asks, quiet=True
            )
    except ProcessExecutionError as error:
        raise ReleaseError(f"git cannot read {source}: {str(error.stderr).strip().splitlines()[-1]}") from error
    except (CopierError, ValueError, OSError) as error:
        missing = _MISSING.fullmatch(str(error))
        fix = f"use --{missing[1]}, or leave out --defaults to be asked" if missing else ""
        raise ReleaseError(f"the project cannot be made: {error}", fix=fix) from error


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Leave nothing in an empty or new folder after an error or an interruption: the next attempt needs it so."""
    is_new = not folder.exists()
    try:
        yield
    except BaseException:
        for each in [folder] if is_new else folder.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
        raise


def _is_repository(folder: Path) -> bool:
    asked = ["git", "-C", str(folder), "rev-parse", "--show-prefix"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.returncode == 0 and not done.stdout.strip()
