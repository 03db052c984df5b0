"""A project of one's own works from its first command to its last, on the local Azure."""

from __future__ import annotations

from pathlib import Path

from release.starting.template import render
from tests.checkout import ROOT, Checkout

_ANSWERS = {"project": "churn", "prefix": "retail", "region": "northeurope", "owner": "fabrikam"}


def test_a_new_project_passes_its_tests_comes_up_runs_its_pipeline_and_goes(tmp_path: Path) -> None:
    render(str(ROOT), tmp_path / "churn", _ANSWERS, asks=False)
    project = Checkout((tmp_path / "churn").resolve())
    project.run("git init --quiet && git add . && git -c user.name=a -c user.email=a@b commit --quiet -m start")
    project.run("make setup && make test && make preview")
    try:
        assert "mlw-retail-churn-local-001" in project.run("make up")
        assert "Completed" in project.run(
            ".venv/bin/amlite run -- .venv/bin/release run pipeline starter --stack local"
        )
        # What its CI does after the deployment. The starter pipeline has no gate.
        release = ".venv/bin/amlite run -- .venv/bin/release"
        trained = project.run(f"{release} train --stack local --if-changed --output-file training.json")
        assert "Not trained: no pipeline of the project has a gate" in trained
        project.run(f"{release} gate --stack local --training training.json")
        published = project.run(f"{release} publish --stack local --training training.json && rm training.json")
        assert "Nothing to publish" in published
        assert "unchanged" in project.run(".venv/bin/amlite run -- .venv/bin/pulumi preview --stack local")
        assert project.run("git status --porcelain") == ""
    finally:
        project.run("make clean")
    assert project.leftovers() == []
