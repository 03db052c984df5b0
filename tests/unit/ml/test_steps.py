"""Runs train, evaluate and register as their component.yml says, one process each, against a plain MLflow store."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from tests.unit.ml.conftest import ROOT


def run_step(name: str, tracking_uri: str, **values: object) -> subprocess.CompletedProcess[str]:
    """One component's command, with its declared defaults where `values` gives nothing."""
    folder = ROOT / "ml" / name
    component = yaml.safe_load((folder / "component.yml").read_text())
    defaults = {key: entry["default"] for key, entry in component["inputs"].items() if "default" in entry}
    given = {**defaults, **values}
    assert set(given) == {*component["inputs"], *component["outputs"]}
    command = re.sub(r"\$\{\{(?:inputs|outputs)\.(\w+)\}\}", lambda m: str(given[m[1]]), component["command"])
    program, *arguments = shlex.split(command)
    assert program == "python"
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=folder / component["code"],
        env={**os.environ, "MLFLOW_TRACKING_URI": tracking_uri, "AZUREML_ROOT_RUN_ID": "pipeline-7"},
        capture_output=True,
        text=True,
        check=False,
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture
def tracking_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def rows(tmp_path: Path, feature_rows: pd.DataFrame) -> Path:
    folder = tmp_path / "rows"
    folder.mkdir()
    feature_rows.to_parquet(folder / "part-0.parquet")
    manifest = {"data": "made up", "data_sha256": "d1", "holdout_start": "2013-11-01"}
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    return folder


def test_only_a_model_that_passes_the_gate_is_registered_and_it_carries_its_lineage(
    tmp_path: Path, rows: Path, tracking_uri: str
) -> None:
    bad = run_step("train", tracking_uri, train_data=rows, sample_fraction=2, model=tmp_path / "none")
    assert bad.returncode == 1
    assert bad.stderr.splitlines()[-1] == "train: sample_fraction: must be above 0 and at most 1, not 2.0"

    model = tmp_path / "model"
    trained = run_step("train", tracking_uri, train_data=rows, max_iter=10, model=model)
    assert trained.returncode == 0, trained.stderr
    common = {"model": model, "model_name": "flight-delay"}

    def evaluate(name: str, **values: object) -> Any:
        decision = tmp_path / name
        done = run_step("evaluate", tracking_uri, test_data=rows, decision=decision, **common, **values)
        assert done.returncode == 0, done.stderr
        report = read(decision / "report.json")
        assert (decision / "deploy_flag").read_text() == f"{report['deploy_flag']}\n"
        return report

    def register(name: str) -> Any:
        out = tmp_path / f"{name}-registration"
        done = run_step(
            "register", tracking_uri, decision=tmp_path / name, git_sha="0a1b2c", registration=out, **common
        )
        assert done.returncode == 0, done.stderr
        return read(out / "registration.json")

    assert evaluate("high", auc_threshold=0.999)["deploy_flag"] == 0
    refused = register("high")
    assert refused["registered"] is False
    assert "is below the threshold 0.9990" in refused["reason"]
    client = MlflowClient(tracking_uri)
    assert client.search_model_versions("name='flight-delay'") == []

    assert evaluate("first")["deploy_flag"] == 1
    accepted = register("first")
    assert (accepted["registered"], accepted["version"]) == (True, "1")
    (version,) = client.search_model_versions("name='flight-delay'")
    assert version.tags == accepted["tags"]
    assert version.run_id == version.tags["training_run_id"]
    assert version.tags["data_sha256"] == "d1"
    assert version.tags["git_sha"] == "0a1b2c"
    assert version.tags["pipeline_job"] == "pipeline-7"
    run = client.get_run(version.run_id)
    assert run.data.params["max_iter"] == "10"
    assert run.data.metrics["train_rows"] == 600

    equal = evaluate("again")
    assert equal["deploy_flag"] == 0
    assert equal["registered"]["basis"] == "measured on the same hold-out"
    assert "+0.0000 is less than the 0.0010 asked for" in equal["reason"]
