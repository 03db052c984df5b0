import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import cloudpickle
import pandas as pd
import pytest
import yaml

from ml.train.src import train
from ml.train.src.train import TARGET


class Collector:
    """Microsoft's collector, which is not installed here. It keeps what it gets, and refuses what is not enabled."""

    enabled = ("model_inputs", "model_outputs")
    full = False

    def __init__(self, *, name: str) -> None:
        if name not in self.enabled:
            message = f"collection {name} is not enabled, drop the data"
            raise Exception(message)
        self.name = name

    def collect(self, table: pd.DataFrame, context: object) -> None:
        if self.full:
            message = "Too many requests lead to message queue is full"
            raise Exception(message)
        collected.append((self.name, table, context))


collected: list[tuple[str, pd.DataFrame, object]] = []


class Response(NamedTuple):
    """What the inference server's AMLResponse is called with; the server itself is not installed here."""

    message: object
    status_code: int
    json_str: bool


@pytest.fixture
def score(step: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    server = ModuleType("azureml_inference_server_http.api.aml_response")
    server.AMLResponse = Response  # type: ignore[attr-defined]
    for name in ("azureml_inference_server_http", "azureml_inference_server_http.api"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, server.__name__, server)
    monitoring = ModuleType("azureml.ai.monitoring")
    monitoring.Collector = Collector  # type: ignore[attr-defined]
    context = ModuleType("azureml.ai.monitoring.context")
    context.BasicCorrelationContext = object  # type: ignore[attr-defined]
    for name in ("azureml", "azureml.ai"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for module in (monitoring, context):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    collected.clear()
    monkeypatch.setattr(sys, "path", list(sys.path))
    return step("ml/deploy/score", "score")


@pytest.fixture
def model_root(tmp_path: Path, feature_rows: pd.DataFrame) -> Path:
    """A folder as Azure ML mounts it, with a model some levels down."""
    features = feature_rows.drop(columns=TARGET)
    model = train.build_model(features, 0.1, 20, seed=1).fit(features, feature_rows[TARGET])
    folder = tmp_path / "flight-delay" / "3" / "model"
    folder.mkdir(parents=True)
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(model))
    description = {
        "flavors": {"sklearn": {"pickled_model": "model.pkl"}},
        "metadata": {"training_run_id": "run-9", "seen": train.describe_values(features)},
        "signature": {"inputs": json.dumps(train.describe_inputs(features).inputs.to_dict())},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(description))
    return folder.parent


def test_request_is_scored(score: ModuleType, model_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(model_root))
    score.init()
    wet = {"carrier": "UA", "precipitation_inches": 0.5}
    dry = {"carrier": "AA", "precipitation_inches": 0, "temperature_f": None}
    answer = score.run(json.dumps({"flights": [wet, dry]}))
    late, early = answer["predictions"]
    assert late["delay_probability"] > 0.5 > early["delay_probability"] > 0
    assert (late["delayed"], early["delayed"]) == (True, False)
    assert answer["training_run_id"] == "run-9"
    json.dumps(answer)


@pytest.mark.filterwarnings("error")
def test_predictions_are_those_of_the_table_whatever_the_order_of_the_signature(
    score: ModuleType, model_root: Path, feature_rows: pd.DataFrame
) -> None:
    (file,) = model_root.rglob("MLmodel")
    description = yaml.safe_load(file.read_text())
    inputs = json.loads(description["signature"]["inputs"])
    description["signature"]["inputs"] = json.dumps(inputs[::-1])
    file.write_text(yaml.safe_dump(description))
    scorer = score.Scorer(file.parent, "flight-delay:3")
    features = feature_rows.drop(columns=TARGET)
    rows = features.astype(object).where(features.notna(), None).to_dict("records")
    found = [each["delay_probability"] for each in scorer.score(json.dumps({"flights": rows}))["predictions"]]
    assert features.isna().any(axis=None)
    assert found == [round(float(value), 4) for value in scorer.model.predict_proba(features)[:, 1]]


def test_rows_and_predictions_are_collected_with_the_model_and_one_id(
    score: ModuleType, model_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(model_root))
    score.init()
    flights = [{"carrier": "UA", "precipitation_inches": 0.5}, {"carrier": "AA", "precipitation_inches": 0}]
    answer = score.run(json.dumps({"flights": flights}))
    (inputs, rows, first), (outputs, predictions, second) = collected
    assert (inputs, outputs) == ("model_inputs", "model_outputs")
    assert first is second
    assert list(rows["carrier"]) == ["UA", "AA"]
    assert predictions.to_dict("records") == [
        {**prediction, "model": "flight-delay:3", "training_run_id": "run-9"} for prediction in answer["predictions"]
    ]
    score.run('{"flights": []}')
    assert len(collected) == 2


def test_what_cannot_be_collected_does_not_fail_the_request(
    score: ModuleType, model_root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(model_root))
    request = json.dumps({"flights": [{"carrier": "UA", "precipitation_inches": 0.5}]})
    monkeypatch.setattr(Collector, "enabled", ("model_outputs",))
    score.init()
    assert score.run(request)["predictions"]
    assert [name for name, *_ in collected] == ["model_outputs"]
    monkeypatch.setattr(Collector, "full", True)
    assert score.run(request)["predictions"]
    assert "a request is not collected: Too many requests" in caplog.text


def test_request_that_cannot_be_scored_is_answered_400_with_the_reason(
    score: ModuleType, model_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(model_root))
    score.init()
    assert score.run('{"flights": [{"carrier": "UA"}]}') == Response(
        {"error": "flights[0].precipitation_inches: is required"}, 400, True
    )


def test_a_value_that_training_never_saw_is_answered_400(
    score: ModuleType, model_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(model_root))
    score.init()
    answer = score.run('{"flights": [{"carrier": "??", "precipitation_inches": 0.5}]}')
    assert answer.status_code == 400
    assert answer.message["error"].startswith("flights[0].carrier: the training has not seen '??'")


def test_folder_without_one_model_is_refused(score: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="found 0"):
        score.find_model(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "MLmodel").touch()
    with pytest.raises(FileNotFoundError, match="found 2"):
        score.find_model(tmp_path)
