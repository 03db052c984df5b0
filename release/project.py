"""The project that a command works on: the folder with its stack files, and the one with its program."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# The variable of Pulumi's option --cwd. `release --cwd` sets it for every `pulumi` that we run.
CWD_VARIABLE = "PULUMI_OPTION_CWD"


def project_folder() -> Path:
    """Return the folder with Pulumi.yaml and the stack files."""
    return Path(os.environ.get(CWD_VARIABLE) or ROOT).resolve()


def program_folder() -> Path:
    """Return the folder with the program, ml/ and pipelines/: `main` in Pulumi.yaml, or the project's folder."""
    folder = project_folder()
    file = folder / "Pulumi.yaml"
    described = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else None
    return (folder / str((described or {}).get("main") or ".")).resolve()
