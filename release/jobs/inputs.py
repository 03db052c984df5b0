"""The inputs that a user types as `NAME=VALUE`. They are text until the pipeline or component gives them a type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pulumi_azureml.planning import is_local
from release.errors import ReleaseError


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return the values by name.

    Raises:
        ReleaseError: A text has another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ReleaseError(f"--input '{text}' must have the form NAME=VALUE")
        if name in found:
            raise ReleaseError(f"--input {name} is given twice", fix="give each input one value")
        found[name] = value
    return found


def local_data(texts: Mapping[str, str], declared: Mapping[str, Any]) -> dict[str, Path]:
    """Return the files and folders of this machine, by the names of their inputs.

    Args:
        texts: The values that the user typed.
        declared: The data inputs, as their YAML declares them.

    Raises:
        ReleaseError: There is no such file or folder, or the input takes the other one of the two.
    """
    found: dict[str, Path] = {}
    for name in texts.keys() & declared.keys():
        text = texts[name]
        if not text or not is_local(text):
            continue
        path = Path(text.removeprefix("file://").removeprefix("file:")).expanduser()
        wanted = declared[name].get("type")
        if not path.exists():
            raise ReleaseError(
                f"--input {name}: there is no file or folder '{text}'",
                fix="use an existing path, a data asset (azureml:NAME:VERSION) or a URI",
            )
        if (wanted == "uri_file" and path.is_dir()) or (wanted in ("uri_folder", "mltable") and path.is_file()):
            what, other = ("folder", "file") if path.is_dir() else ("file", "folder")
            raise ReleaseError(f"--input {name}: '{text}' is a {what}, and the input takes a {other} ({wanted})")
        found[name] = path
    return found
