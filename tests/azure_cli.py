"""The Azure CLI: the package azure-cli, which has hundreds of megabytes and is therefore not in the project's lock."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from amlite.core.runtime import cache_folder
from tests.checkout import ROOT

VERSION = "2.91.0"


def installed() -> Path:
    """Return the folder of the CLI's programs. Installs it once, into the user's cache."""
    folder = cache_folder() / f"azure-cli-{VERSION}"
    if not (folder / "bin" / "az").exists():
        uv = shutil.which("uv", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        assert uv is not None
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        python = str(folder / "bin" / "python")
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, f"azure-cli=={VERSION}"], check=True)
    return folder / "bin"
