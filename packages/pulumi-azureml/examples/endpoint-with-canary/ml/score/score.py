"""Predict a flight's delay."""

import json
import os
from pathlib import Path

model: dict[str, float] = {}


def init() -> None:
    """Load the model once, when the deployment starts."""
    model.update(json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "model" / "model.json").read_text()))


def run(raw_data: str) -> dict[str, float]:
    """Answer one request."""
    return {"minutes": json.loads(raw_data)["distance"] * model["minutes_per_mile"]}
