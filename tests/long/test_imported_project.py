"""A project of `az ml` YAML is imported from its repository, brought up, trained and served, on the local Azure."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from release.starting.template import render
from tests.checkout import ROOT, Checkout
from tests.long import imported_project

_COMMIT = "git init --quiet && git add . && git -c user.name=a -c user.email=a@b commit --quiet -m start"


def test_a_project_in_the_layout_of_a_template_is_imported_trained_and_served(tmp_path: Path) -> None:
    foreign = tmp_path / "taxi"
    imported_project.write(foreign)
    subprocess.run(_COMMIT, shell=True, cwd=foreign, check=True)  # noqa: S602 - a line of ours
    answers = {"project": "fares", "prefix": "retail", "region": "westeurope", "owner": "fabrikam"}
    render(str(ROOT), tmp_path / "fares", answers, asks=False)
    project = Checkout((tmp_path / "fares").resolve())
    project.run(f"{_COMMIT} && make setup && make preview")

    def local(command: str) -> str:
        return project.run(f".venv/bin/amlite run -- .venv/bin/{command}")

    try:
        told = local(f"release import {foreign.as_uri()} --stack local")
        assert "a compute target" in told
        assert "taxi-online/taxi-online-dp" in told
        assert "Pulumi.local.yaml has the patterns of these files now" in told
        assert (project.root / "taxi/README.md").is_file()
        assert not (project.root / "taxi/.git").exists()
        project.run("make preview")
        project.run("make up TRAIN=no")
        local("release run pipeline taxi-mlops-azureml-train-pipeline --stack local")
        for key, value in (("name", "taxi-model"), ("version", "1")):
            local(f"pulumi config set --stack local --path azureml-platform:models.taxi-online.{key} {value}")
        project.run("make up")
        request = project.root / "request.json"
        request.write_text(json.dumps({"input_data": {"columns": ["distance"], "data": [[5.0]]}}))
        answer = local(f"release score taxi-online --stack local --request {request}")
        assert json.loads(answer[answer.index("[") :]) == [pytest.approx(13, abs=0.1)]
        assert "unchanged" in local("pulumi preview --stack local --expect-no-changes")
    finally:
        project.run("make clean")
    assert project.leftovers() == []
