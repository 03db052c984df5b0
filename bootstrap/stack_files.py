"""Makes the stack files of the local Azure from tracked files. Local choices go into the files that it makes.

`Pulumi.local.yaml` is made from the template beside this module. Any other stack, such as dev or a stack of an example,
gets a project folder in the local Azure's state: its file there is the tracked one with the ids of the local Azure, and
its program is the repository's or the example's.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import SetupError
from bootstrap.files import write_text

TEMPLATE = Path(__file__).parent / "Pulumi.local.yaml"
LOCAL = "local"
_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"
# Groups of the local Azure. The user who is signed in to it is a member of the first one.
_GROUP = "10ca1000-0000-4000-b{:03x}-616d6c697465"


@dataclass(frozen=True)
class Project:
    """The project of a stack on the local Azure.

    Attributes:
        folder: Has Pulumi.yaml and the stack's file.
        notes: What set-up remembers about the stack's file. Safe to delete.
        source: Has the tracked files, and the program: the repository, or the folder of an example.
    """

    folder: Path
    notes: Path
    source: Path

    @classmethod
    def of(
        cls, stack: str, repository: Path, environment: Mapping[str, str] = os.environ, example: str | None = None
    ) -> Project:
        """The project of a stack: the repository for `local`, a folder in the local Azure's state for the others.

        Raises:
            SetupError: There is no such example.
        """
        state = repository / environment.get("AMLITE_STATE", ".amlite")
        if example is not None:
            examples = sorted(path.parent.name for path in (repository / "examples").glob("*/Pulumi.dev.yaml"))
            if example not in examples:
                raise SetupError(f"there is no example '{example}'", fix=f"Use one of {', '.join(examples)}.")
            folder = state / "examples" / example
            return cls(folder, folder / ".notes", repository / "examples" / example)
        if stack == LOCAL:
            return cls(repository, repository / ".venv" / "stack-files", repository)
        folder = state / "environments"
        return cls(folder, folder / ".notes", repository)

    def file(self, stack: str) -> Path:
        """The stack's file."""
        return self.folder / f"Pulumi.{stack}.yaml"


def write(stack: str, project: Project) -> list[str]:
    """Create or update the stack's file and the project that it belongs to.

    Returns:
        A line if changes of the tracked file were merged into an existing one.

    Raises:
        SetupError: The stack has no tracked file.
    """
    if project.folder == project.source:
        return _merge(project.file(stack), project.notes, TEMPLATE, TEMPLATE.read_text())
    source = project.source / f"Pulumi.{stack}.yaml"
    if not source.is_file():
        known = ", ".join(sorted(path.name.split(".")[1] for path in project.source.glob("Pulumi.*.yaml")))
        raise SetupError(f"stack '{stack}' has no file {source.name}", fix=f"Use one of the stacks {known}.")
    write_project(project.source, project.folder)
    return _merge(project.file(stack), project.notes, source, localized(source.read_text()))


def write_project(source: Path, folder: Path) -> None:
    """Create a project folder with its own stack files. Its program is the one of the source."""
    write_text(folder / "Pulumi.yaml", _project_file(source))


def localized(text: str) -> str:
    """Return a stack file for the local Azure: its tenant and subscription, and its ids in place of zeros."""
    template = TEMPLATE.read_text()
    for key in ("azure-native:tenantId", "azure-native:subscriptionId"):
        id = _only(rf"^ +{key}: (\S+)", template)
        text = re.sub(rf"^( +{key}:).*$", rf"\1 {id}", text, flags=re.MULTILINE)
    sign_in = _only(r"^ +azureml-platform:signIn: .*\n", template)
    text = re.sub(r"^config:\n", f"config:\n{sign_in}", text, flags=re.MULTILINE)
    count = itertools.count()
    text = re.sub(_PLACEHOLDER, lambda _: _GROUP.format(next(count)), text)
    # The salt belongs to the passphrase of the local Azure, which is fixed.
    salt = _only(r"^encryptionsalt: .*\n", template)
    return re.sub(r"^(encryptionsalt|secretsprovider|encryptedkey): .*\n", "", text, flags=re.MULTILINE) + salt


def _only(pattern: str, text: str) -> str:
    """Return the only match of a pattern."""
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return str(found)


def _project_file(source: Path) -> str:
    text = (source / "Pulumi.yaml").read_text()
    folder = _only(r"virtualenv: (.*)", text)
    text = text.replace(f"virtualenv: {folder}", f"virtualenv: {json.dumps(os.path.normpath(source / folder))}")
    return f"{text}main: {json.dumps(str(source))}\n"


def _merge(path: Path, notes: Path, source: Path, text: str) -> list[str]:
    """Create a file from a text, or merge the changes of the text. If both changed a value, keep the file's."""
    base = notes / path.name
    if not path.exists():
        write_text(path, text)
    elif base.exists() and base.read_text() != text:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as new:
            new.write(text)
            new.flush()
            done = subprocess.run(
                ["git", "merge-file", "--ours", "--stdout", path, base, new.name],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise SetupError(
                f"cannot merge the changes of {source} into {path}: {done.stderr.strip()}",
                fix=f"Delete {path}, or make the changes yourself and delete {base}.",
            )
        write_text(path, done.stdout)
        write_text(base, text)
        return [f"Merged the changes of {os.path.relpath(source)} into {os.path.relpath(path)}. Your own values stay."]
    write_text(base, text)
    return []
