"""Register the model of the best trial."""

from __future__ import annotations

import argparse
from pathlib import Path

from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model

from tasks.paths import read, write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name, and the mounted input and output."""
    parser.add_argument("--name", required=True)
    parser.add_argument("--best", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)


def run(client: MLClient, given: argparse.Namespace) -> None:
    """Register the MLflow model of the trial, with its score and its algorithm as tags."""
    found = {key: read(given.best, key) for key in ("trial", "algorithm", "score", "job")}
    trial = found["trial"]
    model = client.models.create_or_update(
        Model(
            name=given.name,
            type="mlflow_model",
            path=f"azureml://jobs/{trial}/outputs/artifacts/paths/outputs/mlflow-model/",
            description="Tells the cultivar of a wine from its measurements.",
            tags=found,
        )
    )
    print(f"model {model.name}:{model.version} is {found['algorithm']} with a score of {float(found['score']):.4f}")
    write(given.model, name=model.name, version=str(model.version))
