"""Scoring script of the online deployment. Predicts delay probabilities with the MLflow model that Azure ML mounts.

Request: `{"flights": [{<feature>: <value>, ...}, ...]}`, with the features of the model's signature.
Response: `{"predictions": [{"delay_probability": 0.31, "delayed": false}, ...], "training_run_id": "..."}`.
If a request cannot be scored, the response is 400 with `{"error": "<reason>"}`.
The rows and predictions of scored requests are collected for monitoring: see `collection.py`.
"""

import logging
import os
import pickle
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# A request has few rows, so threads would mostly wait for each other: once for each tree, and for seconds if the
# processors are busy. The server's workers use the other processors. OpenMP reads this when scikit-learn is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import yaml
from azureml_inference_server_http.api.aml_response import AMLResponse

sys.path.insert(0, str(Path(__file__).parent))  # the server runs this file by its path

from collection import Collection, served_model
from flight_request import Field, RequestError, parse_request, read_fields

# `score` gives the model an array in the order of its columns: see there.
warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)

log = logging.getLogger("azmlinfsrv.score")

LABEL_PROBABILITY = 0.5  # a flight with a higher probability is labelled delayed


class Scorer:
    """A loaded model and its metadata.

    Args:
        folder: MLflow model folder with the sklearn flavor, as the train component writes it.
        name: Name and version of the model, for the collected predictions.
    """

    def __init__(self, folder: Path, name: str) -> None:
        description = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        fields = read_fields(description["signature"], description["metadata"].get("seen", {}))
        self.training_run_id: str = description["metadata"]["training_run_id"]
        pickled = folder / description["flavors"]["sklearn"]["pickled_model"]
        # A pickle can run code. This one comes from the workspace's model registry, which the training job writes.
        self.model: Any = pickle.loads(pickled.read_bytes())  # noqa: S301
        by_name = {field.name: field for field in fields}
        self.fields: list[Field] = [by_name[name] for name in self.model.feature_names_in_]
        self.collection = Collection({"model": name, "training_run_id": self.training_run_id})

    def score(self, body: str) -> dict[str, Any]:
        """Return the response to a request body.

        Raises:
            RequestError: The request cannot be scored.
        """
        flights = parse_request(body, self.fields)
        rows = pd.DataFrame({field.name: _column(flights, field) for field in self.fields})
        # scikit-learn predicts a few rows of an array in half the time of those of a table.
        probabilities = self.model.predict_proba(rows.to_numpy(dtype=object))[:, 1]
        columns = {
            "delay_probability": [round(float(value), 4) for value in probabilities],
            "delayed": [bool(value > LABEL_PROBABILITY) for value in probabilities],
        }
        self.collection.keep(rows, columns)
        predictions = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return {"predictions": predictions, "training_run_id": self.training_run_id}


def _column(flights: Sequence[Mapping[str, Any]], field: Field) -> Any:
    """Return a column with its type. To convert the types of a finished table takes ten times as long."""
    values = [flight[field.name] for flight in flights]
    return np.array(values, dtype="float64") if field.numeric else pd.array(values, dtype="str")


def find_model(root: Path) -> Path:
    """Return the folder with an MLmodel file at or below `root`. Its place depends on how the model was registered.

    Raises:
        FileNotFoundError: There is no MLmodel file, or more than one.
    """
    found = sorted(path.parent for path in root.rglob("MLmodel"))
    if len(found) != 1:
        message = f"AZUREML_MODEL_DIR {root}: expected one MLmodel file below it, found {len(found)}"
        raise FileNotFoundError(message)
    return found[0]


scorer: Scorer | None = None


def init() -> None:
    """Load the model. The server calls this once, before it accepts requests."""
    global scorer  # noqa: PLW0603  the server requires two functions of a module
    folder = find_model(Path(os.environ["AZUREML_MODEL_DIR"]))
    scorer = Scorer(folder, served_model())
    log.info("model of training run %s loaded from %s", scorer.training_run_id, folder)


def run(raw_data: str) -> dict[str, Any] | AMLResponse:
    """Score the body of a request. The server calls this for each request."""
    if scorer is None:
        message = "init() has not been called"
        raise RuntimeError(message)
    try:
        return scorer.score(raw_data)
    except RequestError as error:
        return AMLResponse({"error": str(error)}, 400, json_str=True)
