"""Step `train`: fits the delay classifier and saves it as an MLflow model with its lineage."""

import argparse
import hashlib
import json
import logging
import os
import platform
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

# On a shared node, threads that spin while they wait make scikit-learn several times slower. OpenMP reads this once,
# when scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

log = logging.getLogger("train")

TARGET = "delayed"
MANIFEST = "_manifest.json"
FEW_VALUES = 12
"""A column of whole numbers with at most this many values is one of choices, such as the days of the week."""
KEPT = Path("outputs")
"""Azure ML uploads this folder of a job to its artifacts. An upload by MLflow's client may give up early."""
TRAINING_SCORE_ROWS = 20_000  # enough to detect overfitting, and fast to score


class TrainingError(Exception):
    """The rows or settings cannot be used for training. The message names the input and the reason."""


def read_rows(folder: Path) -> pd.DataFrame:
    """Return the training set that `prep` wrote.

    Raises:
        TrainingError: There are no rows, or the target is missing or has only one value.
    """
    if not any(folder.glob("*.parquet")):
        message = f"train_data: no Parquet file in {folder}"
        raise TrainingError(message)
    table = pd.read_parquet(folder)
    if TARGET not in table:
        message = f"train_data: no column {TARGET!r}; columns: {', '.join(table.columns)}"
        raise TrainingError(message)
    if table[TARGET].nunique() < 2:
        message = f"train_data: column {TARGET!r} has the same value in every row"
        raise TrainingError(message)
    return table


def sample_rows(table: pd.DataFrame, fraction: float, seed: int) -> pd.DataFrame:
    """Return a random part of the rows. The same seed gives the same rows.

    Raises:
        TrainingError: `fraction` is not greater than 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        message = f"sample_fraction: must be greater than 0 and at most 1, not {fraction}"
        raise TrainingError(message)
    return table if fraction == 1 else table.sample(frac=fraction, random_state=seed)


def split_kinds(features: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the names of the categorical and of the numeric columns, each in table order."""
    numbers = list(features.select_dtypes("number").columns)
    return [name for name in features.columns if name not in numbers], numbers


def build_model(
    features: pd.DataFrame, learning_rate: float, max_iter: int, seed: int
) -> HistGradientBoostingClassifier:
    """Return an unfitted model for the feature table. It accepts unknown categories and missing numbers."""
    categories, _ = split_kinds(features)
    return HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=max_iter,
        categorical_features=categories,  # it encodes them itself
        early_stopping=False,
        random_state=seed,
    )


def describe_inputs(features: pd.DataFrame) -> ModelSignature:
    """Return the model's signature. A column without empty values in training is required for scoring."""
    categories, _ = split_kinds(features)
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(
                    DataType.string if name in categories else DataType.double,
                    name,
                    required=not bool(features[name].isna().any()),
                )
                for name in features.columns
            ]
        ),
        outputs=Schema([ColSpec(DataType.long, TARGET)]),
    )


def describe_values(features: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what the training has seen of each column: its values if they are few, else the least and the greatest.

    The scoring script refuses requests with values that are far from these.
    """
    seen: dict[str, dict[str, Any]] = {}
    categories, numbers = split_kinds(features)
    for name in categories:
        seen[name] = {"values": sorted(str(value) for value in features[name].dropna().unique())}
    for name in numbers:
        column = features[name].dropna()
        distinct = column.unique()
        if 0 < len(distinct) <= FEW_VALUES and all(float(value).is_integer() for value in distinct):
            seen[name] = {"values": sorted(float(value) for value in distinct)}
        elif len(distinct):
            seen[name] = {"least": float(column.min()), "greatest": float(column.max())}
    return seen


def hash_code(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of a folder's Python files."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def lineage(train_folder: Path, run_id: str) -> dict[str, Any]:
    """Return the model's training run, data and code. `register` copies them to the model version."""
    manifest_file = train_folder / MANIFEST
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"train_data: no {MANIFEST} in {train_folder}; use the output of the prep component"
        raise TrainingError(message) from error
    return {**manifest, "training_run_id": run_id, "training_code_sha256": hash_code(Path(__file__).parent)}


def save_model(
    model: HistGradientBoostingClassifier, signature: ModelSignature, origin: dict[str, Any], folder: Path
) -> None:
    """Write the MLflow model folder. Its requirements are the installed versions."""
    packages = ("mlflow-skinny", "scikit-learn", "pandas", "numpy", "cloudpickle")
    requirements = [f"{name}=={version(name)}" for name in packages]
    mlflow.sklearn.save_model(
        model,
        str(folder),
        signature=signature,
        serialization_format="cloudpickle",  # the scoring script reads this format; newer MLflow has another default
        conda_env={
            "name": "flight-delay",
            "channels": ["conda-forge"],
            "dependencies": [f"python={platform.python_version()}", "pip", {"pip": requirements}],
        },
        metadata=origin,
    )


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_data", type=Path, required=True, help="folder with Parquet rows from prep")
    parser.add_argument("--learning_rate", type=float, required=True, help="shrinkage of each boosting step")
    parser.add_argument("--max_iter", type=int, required=True, help="number of boosting steps")
    parser.add_argument("--seed", type=int, required=True, help="random seed for sampling and fitting")
    parser.add_argument("--sample_fraction", type=float, required=True, help="fraction of the rows to train on")
    parser.add_argument("--model", type=Path, required=True, help="output folder for the MLflow model")
    return parser.parse_args()


def main() -> None:
    """Run the step. If rows or settings have a problem, exit with one line that names the cause."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    settings = {name: getattr(arguments, name) for name in ("learning_rate", "max_iter", "seed", "sample_fraction")}
    with mlflow.start_run() as run:
        mlflow.log_params(settings)
        try:
            table = sample_rows(read_rows(arguments.train_data), arguments.sample_fraction, arguments.seed)
            origin = lineage(arguments.train_data, run.info.run_id)
            features, target = table.drop(columns=TARGET), table[TARGET]
            log.info("fitting on %d rows, %d features: %s", *features.shape, settings)
            started = time.perf_counter()
            model = build_model(features, arguments.learning_rate, arguments.max_iter, arguments.seed)
            model.fit(features, target)
        except (TrainingError, ValueError) as error:  # scikit-learn refuses settings and rows with a ValueError
            sys.exit(f"train: {error}")
        seconds = time.perf_counter() - started
        shown = table.sample(n=min(TRAINING_SCORE_ROWS, len(table)), random_state=arguments.seed)
        score = roc_auc_score(shown[TARGET], model.predict_proba(shown.drop(columns=TARGET))[:, 1])
        mlflow.log_metrics({"train_rows": len(table), "fit_seconds": seconds, "train_roc_auc": float(score)})
        save_model(model, describe_inputs(features), {**origin, "seen": describe_values(features)}, arguments.model)
        shutil.copytree(arguments.model, KEPT / "model", dirs_exist_ok=True)
    log.info("fitted in %.1f s, ROC AUC on training rows %.4f; model written to %s", seconds, score, arguments.model)


if __name__ == "__main__":
    main()
