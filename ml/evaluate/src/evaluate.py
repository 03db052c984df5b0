"""Step `evaluate`: scores the new and the registered model on the same hold-out, for the gate."""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

# On a shared node, threads that spin while they wait make scikit-learn several times slower. OpenMP reads this once,
# when scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import mlflow
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, roc_auc_score

log = logging.getLogger("evaluate")

TARGET = "delayed"
CHAMPION = "champion_"  # prefix of the registered model's metrics and column
ADDED = ("label", "score", "champion_score")  # columns that the gate reads
LABEL_PROBABILITY = 0.5  # a flight with a higher probability is labelled delayed, as in the scoring script


class EvaluationError(Exception):
    """The hold-out cannot be used. The message names the input and the reason."""


def read_rows(folder: Path) -> pd.DataFrame:
    """Return the hold-out that `prep` wrote.

    Raises:
        EvaluationError: There are no rows, or the target is missing or has only one value.
    """
    if not any(folder.glob("*.parquet")):
        message = f"test_data: no Parquet file in {folder}"
        raise EvaluationError(message)
    table = pd.read_parquet(folder)
    if TARGET not in table or table[TARGET].nunique() < 2:
        message = f"test_data: column {TARGET!r} must exist and have both values"
        raise EvaluationError(message)
    if taken := [name for name in ADDED if name in table]:
        message = f"test_data: rename the columns {', '.join(taken)}; the predictions have columns of the same name"
        raise EvaluationError(message)
    return table


def scores(model: Any, table: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return the probability of a delay for each row.

    Raises:
        ValueError, KeyError: The model expects columns that the table does not have.
    """
    probability: np.ndarray[Any, Any] = model.predict_proba(table.drop(columns=TARGET))[:, 1]
    return probability


def measure(delayed: pd.Series, probability: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return the metrics of a classifier on the hold-out."""
    return {
        "roc_auc": float(roc_auc_score(delayed, probability)),
        "pr_auc": float(average_precision_score(delayed, probability)),
        "brier": float(brier_score_loss(delayed, probability)),
        "accuracy": float(accuracy_score(delayed, probability > LABEL_PROBABILITY)),
    }


def latest_version(client: MlflowClient, name: str) -> ModelVersion | None:
    """Return the latest registered version of a model, or None if there is none."""
    try:
        versions = client.search_model_versions(f"name='{name}'")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return max(versions, key=lambda version: int(version.creation_timestamp or 0), default=None)


def score_registered(version: ModelVersion, table: pd.DataFrame) -> tuple[np.ndarray[Any, Any] | None, str]:
    """Return the scores of the registered model for the same rows, or None and the reason if it cannot run."""
    try:
        model = mlflow.sklearn.load_model(f"models:/{version.name}/{version.version}")
        return scores(model, table), ""
    # A model from other library versions or with other columns can fail in any of these ways.
    except (MlflowException, OSError, ImportError, AttributeError, ValueError, KeyError, TypeError) as error:
        log.warning("version %s of %s cannot score this hold-out: %s", version.version, version.name, error)
        return None, f"it cannot score this hold-out: {' '.join(str(error).split())[:200]}"


def write_predictions(folder: Path, table: pd.DataFrame, evaluation: dict[str, Any]) -> None:
    """Write the folder that the gate reads."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "part-0.parquet", index=False)
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="MLflow model folder from train")
    parser.add_argument("--test_data", type=Path, required=True, help="folder with Parquet rows from prep")
    parser.add_argument("--model_name", required=True, help="name of the registered model to compare with")
    parser.add_argument("--predictions", type=Path, required=True, help="output folder for the predictions")
    return parser.parse_args()


def main() -> None:
    """Run the step. If the hold-out or the model has a problem, exit with one line that names the cause."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    with mlflow.start_run() as run:
        try:
            table = read_rows(arguments.test_data)
            score = scores(mlflow.sklearn.load_model(str(arguments.model)), table)
            metrics = measure(table[TARGET], score)
            version = latest_version(MlflowClient(), arguments.model_name)
        except (EvaluationError, MlflowException, ValueError, KeyError) as error:
            sys.exit(f"evaluate: {error}")
        log.info("hold-out: %s", ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
        metrics |= {"base_rate": float(table[TARGET].mean()), "rows": float(len(table))}
        predictions = table.assign(label=table[TARGET], score=score)
        evaluation: dict[str, Any] = {"run_id": run.info.run_id, "champion": None}
        if version is not None:
            champion_score, problem = score_registered(version, table)
            evaluation["champion"] = {"version": str(version.version), "problem": problem}
            if champion_score is not None:
                predictions["champion_score"] = champion_score
                champion = measure(table[TARGET], champion_score)
                metrics |= {f"{CHAMPION}{name}": value for name, value in champion.items()}
        mlflow.log_params({"model_name": arguments.model_name})
        mlflow.log_metrics(metrics)
        write_predictions(arguments.predictions, predictions, evaluation)
    log.info("predictions for %d rows written to %s", len(table), arguments.predictions)


if __name__ == "__main__":
    main()
