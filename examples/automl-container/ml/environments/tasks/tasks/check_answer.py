"""Check the answer of a deployment to the sample request."""

from __future__ import annotations

import argparse
import csv
import json

from azure.ai.ml import MLClient

from tasks.errors import TaskError
from tasks.paths import in_image

TARGET = "cultivar"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the answer."""
    parser.add_argument("--answer", required=True)


def run(_client: MLClient, given: argparse.Namespace) -> None:
    """Check that there is one known label for each row of the request.

    Raises:
        TaskError: The answer is another one.
    """
    request = json.loads(in_image("configs/sample-request.json").read_text("utf-8"))
    rows = len(request["input_data"]["data"])
    try:
        answer = json.loads(given.answer)
    except ValueError:
        raise TaskError(f"the deployment's answer is not JSON: {given.answer[:200]}") from None
    with in_image("data/wine.csv").open(encoding="utf-8", newline="") as file:
        known = {row[TARGET] for row in csv.DictReader(file)}
    if not isinstance(answer, list) or len(answer) != rows or not known.issuperset(map(str, answer)):
        raise TaskError(f"the deployment must answer {rows} of the labels {sorted(known)}, and it answers {answer}")
    print(f"the {rows} predictions are known labels")
