"""Step `evaluate`: scores the candidate on the hold-out, compares it with the registered model, writes deploy_flag."""

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# On a shared node, threads that spin while they wait make scikit-learn several times slower. OpenMP reads this once,
# when scikit-learn is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import mlflow
import mlflow.sklearn
import pandas as pd
from gate import Registered, decide
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from sklearn.metrics import accuracy_score, average_precision_score, brier_score_loss, roc_auc_score

log = logging.getLogger("evaluate")

TARGET = "delayed"
SCORE_TAG = "roc_auc"
LABEL_PROBABILITY = 0.5  # a flight with a higher probability is labelled delayed, as in the scoring script


class EvaluationError(Exception):
    """The hold-out or the model cannot be used. The message names the input and the reason."""


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
    return table


def measure(model: Any, table: pd.DataFrame) -> dict[str, float]:
    """Return the scores of a fitted classifier on the hold-out. `base_rate` is the share of delayed flights.

    Raises:
        ValueError, KeyError: The model expects columns that the table does not have.
    """
    delayed = table[TARGET]
    probability = model.predict_proba(table.drop(columns=TARGET))[:, 1]
    return {
        "roc_auc": float(roc_auc_score(delayed, probability)),
        "pr_auc": float(average_precision_score(delayed, probability)),
        "brier": float(brier_score_loss(delayed, probability)),
        "accuracy": float(accuracy_score(delayed, probability > LABEL_PROBABILITY)),
        "base_rate": float(delayed.mean()),
        "rows": float(len(table)),
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


def score_registered(version: ModelVersion, table: pd.DataFrame) -> Registered:
    """Score the registered model on the same hold-out. If it cannot run, use the score in its tags."""
    number = str(version.version)
    try:
        model = mlflow.sklearn.load_model(f"models:/{version.name}/{number}")
        return Registered(number, measure(model, table)["roc_auc"], "measured on the same hold-out")
    # A model from other library versions or with other columns can fail in any of these ways.
    except (MlflowException, OSError, ImportError, AttributeError, ValueError, KeyError, TypeError) as error:
        log.warning("version %s of %s cannot score this hold-out: %s", number, version.name, error)
    try:
        return Registered(number, float(version.tags[SCORE_TAG]), "recorded when it was registered")
    except (KeyError, ValueError):
        return Registered(number, None, f"it cannot score this hold-out and has no tag {SCORE_TAG}")


def parse_arguments() -> argparse.Namespace:
    """Parse the command line in component.yml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="MLflow model folder from train")
    parser.add_argument("--test_data", type=Path, required=True, help="folder with Parquet rows from prep")
    parser.add_argument("--model_name", required=True, help="name of the registered model to compare with")
    parser.add_argument("--auc_threshold", type=float, required=True, help="minimum ROC AUC")
    parser.add_argument("--min_improvement", type=float, required=True, help="minimum gain over the registered model")
    parser.add_argument("--decision", type=Path, required=True, help="folder for deploy_flag and report.json")
    return parser.parse_args()


def main() -> None:
    """Run the step. A refused model is not an error: the exit code is 0, and report.json has the reason."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    arguments = parse_arguments()
    with mlflow.start_run():
        try:
            table = read_rows(arguments.test_data)
            metrics = measure(mlflow.sklearn.load_model(str(arguments.model)), table)
            version = latest_version(MlflowClient(), arguments.model_name)
        except (EvaluationError, MlflowException, ValueError, KeyError) as error:
            sys.exit(f"evaluate: {error}")
        mlflow.log_metrics(metrics)
        log.info("hold-out: %s", ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))

        registered = score_registered(version, table) if version else None
        decision = decide(metrics["roc_auc"], arguments.auc_threshold, registered, arguments.min_improvement)
        report = {
            "deploy_flag": int(decision.deploy),
            "reason": decision.reason,
            "model_name": arguments.model_name,
            "metrics": metrics,
            "auc_threshold": arguments.auc_threshold,
            "min_improvement": arguments.min_improvement,
            "registered": asdict(registered) if registered else None,
        }
        arguments.decision.mkdir(parents=True, exist_ok=True)
        (arguments.decision / "deploy_flag").write_text(f"{report['deploy_flag']}\n", encoding="utf-8")
        (arguments.decision / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        mlflow.log_params({name: report[name] for name in ("model_name", "auc_threshold", "min_improvement")})
        mlflow.log_metric("deploy_flag", int(decision.deploy))
        if registered and registered.roc_auc is not None:
            mlflow.log_metric("registered_roc_auc", registered.roc_auc)
        mlflow.log_dict(report, "report.json")
    log.info("deploy_flag %d: %s", report["deploy_flag"], decision.reason)


if __name__ == "__main__":
    main()
