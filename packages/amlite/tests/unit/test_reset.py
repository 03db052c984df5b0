"""`amlite reset` deletes a state folder, and nothing that a link leads to."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from amlite.cli import main


@pytest.mark.attack
def test_a_link_in_a_project_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start writes its lock to the folder that the link leads to, which then looks like a state."""
    monkeypatch.delenv("AMLITE_STATE", raising=False)
    mine, project = tmp_path / "mine", tmp_path / "project"
    for each in (mine, project):
        each.mkdir()
    (mine / "lock").touch()
    (mine / "thesis.tex").write_text("years of work")
    (project / ".amlite").symlink_to("../mine")
    monkeypatch.chdir(project)
    done = CliRunner().invoke(main, ["reset", "--yes"])
    assert done.exit_code == 1
    assert "is a link to" in done.output
    assert (mine / "thesis.tex").exists()
