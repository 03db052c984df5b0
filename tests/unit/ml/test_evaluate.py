from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, RESOURCE_DOES_NOT_EXIST

TABLE = pd.DataFrame({"carrier": ["UA", "UA", "DL", "DL"], "delayed": [0, 1, 0, 1]})


class Fixed:
    """A classifier that answers the given probabilities of delay."""

    def __init__(self, *probabilities: float) -> None:
        self.probabilities = np.array(probabilities)

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        assert "delayed" not in rows
        return np.column_stack([1 - self.probabilities, self.probabilities])


@pytest.fixture
def evaluate(step: Callable[[str, str], ModuleType]) -> ModuleType:
    return step("ml/evaluate/src", "evaluate")


def version(number: str, created: int, **tags: str) -> SimpleNamespace:
    return SimpleNamespace(name="flight-delay", version=number, creation_timestamp=created, tags=tags)


def test_scores_are_those_of_the_hold_out(evaluate: ModuleType) -> None:
    metrics = evaluate.measure(TABLE["delayed"], evaluate.scores(Fixed(0.1, 0.9, 0.6, 0.55), TABLE))
    assert metrics == pytest.approx(
        {"roc_auc": 0.75, "pr_auc": (1 + 2 / 3) / 2, "brier": (0.01 + 0.01 + 0.36 + 0.2025) / 4, "accuracy": 0.75}
    )


def test_hold_out_of_one_kind_is_refused(evaluate: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(evaluate.EvaluationError, match="no Parquet file"):
        evaluate.read_rows(tmp_path)
    TABLE.assign(delayed=1).to_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(evaluate.EvaluationError, match="both values"):
        evaluate.read_rows(tmp_path)
    TABLE.assign(score=1).to_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(evaluate.EvaluationError, match="rename the columns score"):
        evaluate.read_rows(tmp_path)


def test_latest_version_is_the_newest_not_the_first_listed(evaluate: ModuleType) -> None:
    versions = [version("2", 20), version("10", 30), version("1", 10)]
    client = SimpleNamespace(search_model_versions=lambda _: versions)
    assert evaluate.latest_version(client, "flight-delay").version == "10"
    client.search_model_versions = lambda _: []
    assert evaluate.latest_version(client, "flight-delay") is None


def test_model_unknown_to_the_registry_is_no_error_but_a_refusal_is(evaluate: ModuleType) -> None:
    def failing(code: int) -> SimpleNamespace:
        def search(_: str) -> None:
            raise MlflowException("the registry says no", error_code=code)

        return SimpleNamespace(search_model_versions=search)

    assert evaluate.latest_version(failing(RESOURCE_DOES_NOT_EXIST), "flight-delay") is None
    with pytest.raises(MlflowException, match="the registry says no"):
        evaluate.latest_version(failing(PERMISSION_DENIED), "flight-delay")


def test_registered_model_scores_the_same_hold_out(evaluate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(evaluate.mlflow.sklearn, "load_model", lambda uri: asked.append(uri) or Fixed(0, 1, 0, 1))
    scores, problem = evaluate.score_registered(version("4", 1), TABLE)
    assert (list(scores), problem) == ([0, 1, 0, 1], "")
    assert asked == ["models:/flight-delay/4"]


def test_registered_model_that_does_not_run_has_no_scores_and_a_reason(
    evaluate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(uri: str) -> None:
        raise ModuleNotFoundError(f"no module for {uri}")

    monkeypatch.setattr(evaluate.mlflow.sklearn, "load_model", load)
    scores, problem = evaluate.score_registered(version("4", 1, roc_auc="0.61"), TABLE)
    assert scores is None
    assert problem == "it cannot score this hold-out: no module for models:/flight-delay/4"
