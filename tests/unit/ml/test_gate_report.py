"""What the gate reads from an evaluate step, and the report that it writes."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.gate.src.rules import Rules

EVIL = "<script>alert('x')</script>&$\\frac{1}{"


@pytest.fixture
def predictions(step: Callable[[str, str], ModuleType]) -> ModuleType:
    return step("ml/gate/src", "predictions")


def write(folder: Path, evaluation: object, **columns: Any) -> Path:
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    if columns:
        pd.DataFrame(columns).to_parquet(folder / "part-0.parquet")
    return folder


RUN = {"run_id": "run-1"}


def test_predictions_of_both_tasks_are_read(predictions: ModuleType, tmp_path: Path) -> None:
    evaluation = RUN | {"champion": {"version": 3}}
    read = predictions.read_predictions(
        write(tmp_path, evaluation, label=[0, 1], score=[0.1, 1], champion_score=[0, 1])
    )
    assert (read.task, read.run_id, read.champion.version) == ("classification", "run-1", "3")
    assert list(read.champion_predicted) == [0, 1]
    read = predictions.read_predictions(write(tmp_path, RUN, label=[7, 8.5], prediction=[6, 9]))
    assert (read.task, read.champion, read.no_champion) == ("regression", None, "no model is registered yet")
    assert read.champion_predicted is None


@pytest.mark.parametrize(
    ("evaluation", "columns", "reason"),
    [
        ([], {}, r"evaluation\.json must be an object with the text `run_id`"),
        ({"run_id": 7}, {}, "`run_id`"),
        (RUN, {}, "no Parquet file"),
        (
            RUN,
            {"label": [0], "scores": [1]},
            r"must have the column `label`, and one of `score` .*columns: label, scores",
        ),
        (RUN, {"label": [0], "score": [1], "prediction": [1]}, "one of `score`"),
        (RUN, {"label": ["no"], "score": [1]}, "the column `label` must have numbers, not str"),
        (RUN, {"label": [2, 0], "score": [1, 1]}, r"must have the values 0 and 1, not .*0\.0.*2\.0"),
        (
            RUN | {"champion": "3"},
            {"label": [0], "score": [1]},
            "`champion` in evaluation.json must be null or an object",
        ),
    ],
)
def test_predictions_of_another_form_are_refused(
    predictions: ModuleType, tmp_path: Path, evaluation: object, columns: dict[str, Any], reason: str
) -> None:
    with pytest.raises(predictions.PredictionsError, match=reason):
        predictions.read_predictions(write(tmp_path, evaluation, **columns))


def test_folder_without_an_evaluation_is_refused(predictions: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(predictions.PredictionsError, match=r"predictions: evaluation\.json: .*No such file"):
        predictions.read_predictions(tmp_path)


class Page(HTMLParser):
    """The tags of a page, its text, and the sources of its images."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_report_needs_no_other_file_and_escapes_everything(
    step: Callable[[str, str], ModuleType], tmp_path: Path, task: str
) -> None:
    report = step("ml/gate/src", "report")
    decision = step("ml/gate/src", "decision")
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 200).astype(float)
    predicted = np.clip(label * 0.3 + random.random(200) * 0.7, 0, 1)
    column = "score" if task == "classification" else "prediction"
    table = pd.DataFrame({"label": label, column: predicted, f"champion_{column}": predicted[::-1], EVIL: EVIL})
    metric, direction, limit = ("roc_auc", "higher", "minimum") if column == "score" else ("mae", "lower", "maximum")
    rules = Rules.model_validate(
        {"rules": [{"metric": metric, "direction": direction, limit: 0.6, "margin": 0.0, "slices": [EVIL]}]}
    )
    given = decision.Predictions(task, table, "run-1", decision.Champion(EVIL), "")
    decided = decision.decide(rules, {metric: 0.5, f"champion_{metric}": 0.5, EVIL: 1.0}, given, EVIL)
    report.write_report(tmp_path, decided, given, [report.Version(EVIL, {metric: 0.5}), report.Version("2", {})])

    shared = {"calibration.png", "slices.png", "history.png", "report.html"}
    curves = {"roc.png", "precision_recall.png"} if column == "score" else {"residuals.png"}
    assert {path.name for path in tmp_path.iterdir()} == shared | curves
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in tmp_path.glob("*.png"))
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert page.text.count(EVIL) > 5
    assert len(page.sources) == len(shared | curves) - 1
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)


def test_report_without_usable_predictions_has_no_curves(
    step: Callable[[str, str], ModuleType], tmp_path: Path
) -> None:
    report = step("ml/gate/src", "report")
    decision = step("ml/gate/src", "decision")
    table = pd.DataFrame({"label": [0.0, 0.0], "score": [np.nan, 0.5]})
    given = decision.Predictions("classification", table, "run-1", None, "no model is registered yet")
    rules = Rules.model_validate({"rules": [{"metric": "roc_auc", "direction": "higher", "minimum": 0.6}]})
    decided = decision.decide(rules, {}, given, "flight-delay")
    report.write_report(tmp_path, decided, given, [])
    assert {path.name for path in tmp_path.iterdir()} == {"report.html"}
    assert "has no value" in (tmp_path / "report.html").read_text("utf-8")
