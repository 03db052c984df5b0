"""Reads a JSON file that another command of the release wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from release.errors import ReleaseError


def read(path: Path, fix: str) -> Any:
    """Return the content of a file.

    Args:
        path: The file.
        fix: What to do if it cannot be read.

    Raises:
        ReleaseError: The file does not exist, or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ReleaseError(f"cannot read {path}: {error.strerror}", fix=fix) from error
    except ValueError as error:
        raise ReleaseError(f"{path} is not JSON: {error}", fix=fix) from error
