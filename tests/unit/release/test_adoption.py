"""What adoption takes back: a file that the project's own checks refuse never stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from release import adoption
from release.definitions import Found
from release.errors import ReleaseError

GOOD = "name: good\nversion: '1'\ntype: command\ncommand: echo 1\nenvironment: azureml:env:1\n"
BAD = "name: bad\nversion: '1'\ntype: command\ncommand: echo ${{inputs.rows}}\nenvironment: azureml:env:1\n"
NO_CLIENT: Any = None


def written(root: Path, *found: Found) -> dict[str, Found]:
    return {path: each for each in found for path in adoption.write(NO_CLIENT, root, each)}


def test_what_the_checks_refuse_is_taken_back_with_the_reason(tmp_path: Path) -> None:
    good = Found("component", "good", "1", {"ml/good/component.yml": GOOD})
    bad = Found("component", "bad", "1", {"ml/bad/component.yml": BAD, "ml/bad/notes.txt": "x"})
    (refused,) = adoption.settle(tmp_path, written(tmp_path, good, bad))
    assert refused.name == "bad"
    assert refused.reason == "the command uses ${{inputs.rows}}, which is not declared"
    assert [path.name for path in tmp_path.rglob("*.*")] == ["component.yml"]
    assert adoption.plan(tmp_path)["component", "good"].version == "1"


def test_problems_of_the_projects_own_files_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "ml/mine").mkdir(parents=True)
    (tmp_path / "ml/mine/component.yml").write_text(BAD)
    good = Found("component", "good", "1", {"ml/good/component.yml": GOOD})
    with pytest.raises(ReleaseError, match=r"ml/mine/component.yml:4: the command uses"):
        adoption.settle(tmp_path, written(tmp_path, good))
    assert (tmp_path / "ml/good/component.yml").exists()
