"""Runs train, evaluate, gate and register with the commands of their component.yml, against a plain MLflow store."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from tests.unit.ml.conftest import ROOT

# MLflow's own: its use of SQLAlchemy, and of its type hints.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*``noload`` loader strategy is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


class RunStep(Protocol):
    """Runs one component's command, with its declared defaults where `values` gives nothing.

    Adds `./outputs` to the artifacts of its run afterwards, as Azure ML does.
    """

    def __call__(self, component: str, **values: object) -> None: ...


@pytest.fixture
def tracking_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("AZUREML_ROOT_RUN_ID", "pipeline-7")
    return uri


@pytest.fixture
def run_step(step: Callable[[str, str], ModuleType], tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> RunStep:
    assert tracking_uri

    def run(component: str, **values: object) -> None:
        folder = ROOT / "ml" / component
        declared = yaml.safe_load((folder / "component.yml").read_text())
        defaults = {key: entry["default"] for key, entry in declared["inputs"].items() if "default" in entry}
        given = {**defaults, **values}
        optional = {key for key, entry in declared["inputs"].items() if entry.get("optional")}
        assert set(given) | optional == {*declared["inputs"], *declared["outputs"]}
        # Azure ML leaves out `$[[...]]` if it names an optional input without a value.
        written = re.sub(
            r"\$\[\[(.*?)\]\]",
            lambda m: m[1] if given.keys() >= set(re.findall(r"inputs\.(\w+)", m[1])) else "",
            declared["command"],
        )
        command = re.sub(r"\$\{\{(?:inputs|outputs)\.(\w+)\}\}", lambda m: str(given[m[1]]), written)
        program, script, *arguments = shlex.split(command)
        assert program == "python"
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        with monkeypatch.context() as patched:
            for method in ("log_artifact", "log_artifacts"):
                patched.setattr(MlflowClient, method, gives_up)
            step(f"ml/{component}/{declared['code']}", Path(script).stem).main()
        if Path("outputs").exists():
            logged = mlflow.last_active_run()
            assert logged is not None
            MlflowClient().log_artifacts(logged.info.run_id, "outputs", "outputs")
            shutil.rmtree("outputs")

    return run


def gives_up(*_: object) -> None:
    pytest.fail("azureml-mlflow sends a file four times at most, and cannot send it again later. Use ./outputs.")


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture
def rows(tmp_path: Path, feature_rows: pd.DataFrame) -> Path:
    folder = tmp_path / "rows"
    folder.mkdir()
    feature_rows.to_parquet(folder / "part-0.parquet")
    manifest = {"data": "made up", "data_sha256": "d1", "holdout_start": "2013-11-01"}
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    return folder


def test_only_a_model_that_passes_the_gate_is_registered_and_it_carries_its_lineage(
    tmp_path: Path, rows: Path, run_step: RunStep, tracking_uri: str
) -> None:
    with pytest.raises(SystemExit, match=r"^train: sample_fraction: must be greater than 0 and at most 1, not 2.0$"):
        run_step("train", train_data=rows, sample_fraction=2, model=tmp_path / "none")

    model = tmp_path / "model"
    run_step("train", train_data=rows, max_iter=10, model=model)
    common = {"model": model, "model_name": "flight-delay"}
    rules = tmp_path / "gate.yml"
    rule = {"metric": "roc_auc", "direction": "higher", "minimum": 0.65, "margin": 0.001, "slices": ["carrier"]}
    rules.write_text(yaml.safe_dump({"rules": [rule]}))

    def evaluate(name: str, overrides: str = "none") -> Any:
        predictions, decision = tmp_path / f"{name}-predictions", tmp_path / name
        run_step("evaluate", test_data=rows, predictions=predictions, **common)
        run_step(
            "gate", predictions=predictions, rules=rules, overrides=overrides, model_name="flight-delay",
            decision=decision,
        )  # fmt: skip
        return read(decision / "decision.json")

    def register(name: str) -> Any:
        out = tmp_path / f"{name}-registration"
        run_step("register", decision=tmp_path / name, git_sha="0a1b2c", registration=out, **common)
        return read(out / "registration.json")

    assert evaluate("high", "roc_auc.minimum=0.999")["deploy_flag"] == 0
    refused = register("high")
    assert refused["registered"] is False
    assert "is below the minimum 0.9990" in refused["reason"]
    client = MlflowClient(tracking_uri)
    assert client.search_model_versions("name='flight-delay'") == []

    assert evaluate("first")["deploy_flag"] == 1
    accepted = register("first")
    assert (accepted["registered"], accepted["version"]) == (True, "1")
    (version,) = client.search_model_versions("name='flight-delay'")
    assert version.tags == accepted["tags"]
    assert version.run_id == version.tags["training_run_id"]
    assert "outputs/model/MLmodel" in {
        file.path for file in client.list_artifacts(str(version.run_id), "outputs/model")
    }
    assert version.tags["data_sha256"] == "d1"
    assert version.tags["git_sha"] == "0a1b2c"
    assert version.tags["pipeline_job"] == "pipeline-7"
    run = client.get_run(version.run_id)
    assert run.data.params["max_iter"] == "10"
    assert run.data.metrics["train_rows"] == 600

    equal = evaluate("again")
    assert equal["deploy_flag"] == 0
    assert equal["champion"]["version"] == "1"
    assert equal["checks"][0]["champion"] == equal["checks"][0]["value"]
    assert "by +0.0000, less than the margin 0.0010" in equal["reason"]

    logged = max(client.search_runs(["0"]), key=lambda run: run.info.start_time)
    files = {file.path for file in client.list_artifacts(logged.info.run_id, "outputs/gate")}
    assert files == {"outputs/gate/decision.json", "outputs/gate/report.html"} | {
        f"outputs/gate/{name}.png" for name in ("roc", "precision_recall", "calibration", "slices", "history")
    }
    report = (tmp_path / "again" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 5
    assert "refused" in report
