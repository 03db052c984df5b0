"""What a model predicts for the hold-out: the reference of its predictions while it has no earlier ones."""

import os
from pathlib import Path

# A node may have many processors, and threads that spin while they wait make scikit-learn slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import mlflow.sklearn
import pandas as pd
from collected import CollectedError
from mlflow.exceptions import MlflowException
from mlflow.models import Model

RUN = "training_run_id"
LABEL_PROBABILITY = 0.5  # a flight with a higher probability is labelled delayed, as in the scoring script


def training_run(folder: Path) -> str:
    """Return the training run of a model.

    Raises:
        CollectedError: The folder is not an MLflow model of this project's training.
    """
    try:
        metadata = Model.load(str(folder)).metadata or {}
    except (OSError, MlflowException) as error:
        message = f"model: {folder} is not an MLflow model: {error}"
        raise CollectedError(message) from error
    if RUN not in metadata:
        message = f"model: its metadata has no {RUN}; use a model that the component `train` wrote"
        raise CollectedError(message)
    return str(metadata[RUN])


def predictions(folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a model's predictions for the hold-out, with the columns that the scoring script collects.

    Raises:
        CollectedError: The model does not take these rows.
    """
    try:
        probabilities = mlflow.sklearn.load_model(str(folder)).predict_proba(rows)[:, 1]
    except (ValueError, KeyError) as error:
        message = f"model: it does not take the columns of the reference: {error}"
        raise CollectedError(message) from error
    return pd.DataFrame({"delay_probability": probabilities, "delayed": probabilities > LABEL_PROBABILITY})
