"""A stack file, read without Pulumi: for what a command needs before it opens the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning import Problem
from pulumi_azureml.planning.documents import read as read_document
from release.errors import ReleaseError

_FIX = "correct it; docs/configuration.md describes what a stack file has"


def read(file: Path) -> dict[str, Any]:
    """Return the content of a stack file.

    Raises:
        ReleaseError: It is not a YAML mapping with a mapping `config`. The message names the line. Pulumi's own
            message about such a file names neither the line nor a fix in each case.
    """
    document = read_document(file.parent, file.name)
    if isinstance(document, Problem):
        place = f"{file.name}:{document.line}" if document.line else file.name
        raise ReleaseError(
            f"{place}: {document.message}. Nothing was changed", _FIX if "az ml" in document.fix else document.fix
        )
    if not isinstance(document.data.get("config") or {}, dict):
        line = document.line("config")
        raise ReleaseError(f"{file.name}:{line}: config is not a mapping of settings. Nothing was changed", _FIX)
    content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8-sig"))  # with the types that YAML gives to values
    return content
