"""The contracts of the root `pyproject.toml` about which module may import which."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import amlite

REPOSITORY = Path(__file__).parents[4]


def test_no_import_breaks_a_contract() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.attack
def test_no_program_of_amlite_imports_what_is_in_the_working_folder() -> None:
    """It may be a project of somebody else: `python -m` and `python -c` look there first, without -P or -I."""
    files = Path(amlite.__file__).parent.rglob("*.py")
    texts = {file: file.read_text("utf-8") for file in files if "drivers" not in file.parts}
    started = re.compile(r'sys\.executable, "-[mc]"|exec \{sys\.executable\} -[mc]')
    assert [str(file) for file, text in texts.items() if started.search(text)] == []
