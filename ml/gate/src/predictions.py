"""Reads the output of an evaluate step: the predictions for the hold-out, and what was evaluated."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from metrics import Values
from pyarrow import parquet

EVALUATION = "evaluation.json"
LABEL = "label"
CHAMPION = "champion_"
"""Prefix of the registered model's column, and of its metrics in MLflow."""
_PREDICTED = {"score": "classification", "prediction": "regression"}


class PredictionsError(Exception):
    """The predictions are not as docs/gate.md describes them. The message names the file and the reason."""


@dataclass(frozen=True)
class Champion:
    """The registered model that the new one is compared with.

    Attributes:
        version: Version in the registry.
        problem: Why it could not be scored on the hold-out. Empty if it was.
    """

    version: str
    problem: str = ""


@dataclass(frozen=True)
class Predictions:
    """One row for each row of the hold-out.

    Attributes:
        task: `classification` or `regression`.
        table: All columns. Each can be a slice.
        run_id: MLflow run of the evaluate step, which has the metrics.
        champion: The registered model, or None if there is none.
        no_champion: Why there is none.
    """

    task: str
    table: pd.DataFrame
    run_id: str
    champion: Champion | None
    no_champion: str

    @property
    def label(self) -> Values:
        """The true values."""
        return self.table[LABEL].to_numpy()

    @property
    def predicted(self) -> Values:
        """The predictions of the new model."""
        return self.table[self._column].to_numpy()

    @property
    def champion_predicted(self) -> Values | None:
        """The predictions of the registered model for the same rows, if it has any."""
        name = f"{CHAMPION}{self._column}"
        return self.table[name].to_numpy() if self.champion is not None and name in self.table else None

    @property
    def _column(self) -> str:
        return "score" if self.task == "classification" else "prediction"


def read_predictions(folder: Path) -> Predictions:
    """Read the folder that an evaluate step wrote.

    Raises:
        PredictionsError: A file or column is missing or has the wrong type.
    """
    try:
        evaluation = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"predictions: {EVALUATION}: {error}"
        raise PredictionsError(message) from error
    if not isinstance(evaluation, dict) or not isinstance(evaluation.get("run_id"), str):
        message = f"predictions: {EVALUATION} must be an object with the text `run_id`, the MLflow run of the step"
        raise PredictionsError(message)
    files = sorted(folder.glob("*.parquet"))
    if not files:
        message = f"predictions: no Parquet file in {folder}"
        raise PredictionsError(message)
    table = parquet.read_table(files).to_pandas()
    found = [column for column in _PREDICTED if column in table]
    if LABEL not in table or len(found) != 1:
        message = (
            f"predictions: must have the column `{LABEL}`, and one of `score` (the probability of the label 1) and "
            f"`prediction` (a number); columns: {', '.join(map(str, table.columns))}"
        )
        raise PredictionsError(message)
    task = _PREDICTED[found[0]]
    for column in (LABEL, found[0], f"{CHAMPION}{found[0]}"):
        if column in table:
            table[column] = _numbers(table[column])
    labels = set(table[LABEL].dropna().unique())
    if task == "classification" and not labels <= {0.0, 1.0}:
        message = f"predictions: the column `{LABEL}` must have the values 0 and 1, not {sorted(labels)[:5]}"
        raise PredictionsError(message)
    champion, no_champion = _champion(evaluation)
    return Predictions(task, table, evaluation["run_id"], champion, no_champion)


def _numbers(column: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(column):
        message = f"predictions: the column `{column.name}` must have numbers, not {column.dtype}"
        raise PredictionsError(message)
    return column.astype(np.float64)


def _champion(evaluation: dict[str, object]) -> tuple[Champion | None, str]:
    given = evaluation.get("champion")
    if given is None:
        return None, str(evaluation.get("no_champion") or "no model is registered yet")
    if not isinstance(given, dict) or "version" not in given:
        message = f"predictions: `champion` in {EVALUATION} must be null or an object with `version`"
        raise PredictionsError(message)
    return Champion(str(given["version"]), str(given.get("problem") or "")), ""
