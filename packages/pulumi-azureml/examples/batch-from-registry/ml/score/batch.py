"""Predict the delay of every flight in a mini batch of files."""

import json
import os
from pathlib import Path

model: dict[str, float] = {}


def init() -> None:
    """Load the model once, when a worker starts."""
    model.update(json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "model" / "model.json").read_text()))


def run(mini_batch: list[str]) -> list[str]:
    """Return one row for each file, which holds a distance in miles."""
    distances = {Path(file).name: float(Path(file).read_text()) for file in mini_batch}
    return [f"{name} {distance * model['minutes_per_mile']:.1f}" for name, distance in distances.items()]
