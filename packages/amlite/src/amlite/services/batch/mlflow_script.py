"""The scoring script of an MLflow model that is deployed without code: a line `row,prediction,file` for each row.

It runs inside the model's environment. Files are tables: `.csv` or `.parquet`.
"""

from __future__ import annotations

import csv
import importlib
import io
import os
from pathlib import Path
from typing import Any

_loaded: dict[str, Any] = {}


def init() -> None:
    """Load the model."""
    from mlflow import pyfunc

    root = Path(os.environ["AZUREML_MODEL_DIR"])
    described = next(path for path in (root, *sorted(root.iterdir())) if (path / "MLmodel").is_file())
    _loaded["model"] = pyfunc.load_model(str(described))


def run(mini_batch: list[str]) -> list[str]:
    """Predict every row of every file."""
    lines: list[str] = []
    for name in mini_batch:
        path = Path(name)
        predictions = _loaded["model"].predict(_table(path))
        values = predictions.values if hasattr(predictions, "columns") else predictions
        for row, value in enumerate(values.tolist() if hasattr(values, "tolist") else values):
            text = io.StringIO()
            parts = value if isinstance(value, list) else [value]
            csv.writer(text, lineterminator="").writerow([row, *parts, path.name])
            lines.append(text.getvalue())
    return lines


def _table(path: Path) -> Any:
    pandas = importlib.import_module("pandas")
    if path.suffix == ".csv":
        return pandas.read_csv(path)
    if path.suffix in (".parquet", ".pqt"):
        return pandas.read_parquet(path)
    raise ValueError(f"{path.name}: an MLflow model without a scoring script takes .csv and .parquet files")
