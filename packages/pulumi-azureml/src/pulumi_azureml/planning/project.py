"""Where the project is that paths are relative to."""

from __future__ import annotations

from pathlib import Path


def project_root() -> Path:
    """Return the folder of Pulumi.yaml, which every path in a definition is relative to."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    return here
