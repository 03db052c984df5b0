"""The stack files: what this checkout changed in one of them, and the same change in a newer version of the file."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra import NAMESPACE
from infra.outputs import ModelOutput
from release.configuration import promoted
from release.errors import ReleaseError

_DUBIOUS = "dubious ownership"


@dataclass(frozen=True)
class ChangedFile:
    """A stack file that differs from the commit that is checked out.

    Attributes:
        path: Its path in the repository.
        before: Its text in the commit.
        after: Its text now.
    """

    path: str
    before: str
    after: str

    def on(self, base: str | None) -> str:
        """Return another version of the file with the same change. Where both changed the same lines, this one wins.

        Raises:
            ReleaseError: The result would have other models than this file.
        """
        if base is None or base == self.before:
            return self.after
        merged = _merged(base, self.before, self.after)
        if models(merged, self.path) != {**models(base, self.path), **self.models}:
            raise ReleaseError(
                f"{self.path} differs too much from commit HEAD of this job, so the change cannot be repeated there",
                fix="write the models of this file there by hand",
            )
        return merged

    @property
    def models(self) -> dict[str, ModelOutput]:
        """The models that differ, by endpoint."""
        old = models(self.before, self.path)
        return {name: model for name, model in models(self.after, self.path).items() if old.get(name) != model}


def changed(file: Path, now: Path) -> ChangedFile | None:
    """Return what a job changed in a stack file of this checkout, or None if nothing.

    Args:
        file: The stack file, whose commit is checked out.
        now: The file with its text now.

    Raises:
        ReleaseError: Git cannot read the file's repository.
    """
    folder = file.parent
    path = f"{_git(folder, 'rev-parse', '--show-prefix').strip()}{file.name}"
    known = _git(folder, "ls-tree", "--name-only", "HEAD", f"./{file.name}").strip()
    before = _git(folder, "show", f"HEAD:./{file.name}") if known else ""
    after = now.read_text("utf-8")
    return ChangedFile(path, before, after) if before != after else None


def models(text: str | None, path: str) -> dict[str, ModelOutput]:
    """Return the promoted models in the text of a stack file, by endpoint.

    Raises:
        ReleaseError: It is not a stack file.
    """
    try:
        content: Any = yaml.safe_load(text or "")
    except yaml.YAMLError as error:
        raise ReleaseError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    config = content.get("config") if isinstance(content, Mapping) else None
    written = (config or {}).get(f"{NAMESPACE}:models")
    read = {str(name): promoted(each) for name, each in written.items()} if isinstance(written, Mapping) else {}
    return {name: model for name, model in read.items() if model is not None}


def _merged(base: str, before: str, after: str) -> str:
    with tempfile.TemporaryDirectory(prefix="release-propose-") as folder:
        texts = {"base": base, "before": before, "after": after}
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, "utf-8")
        return _git(Path(folder), "merge-file", "--theirs", "-p", *texts)


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False, env=environment
        )
    except FileNotFoundError as error:
        raise ReleaseError("git is not on PATH, so the change of the stack file is unknown", "install git") from error
    if done.returncode != 0:
        fix = f"git config --global --add safe.directory {folder}" if _DUBIOUS in done.stderr else ""
        raise ReleaseError(f"git cannot read {folder}: {done.stderr.strip().splitlines()[0]}", fix)
    return done.stdout
