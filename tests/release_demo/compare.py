"""The check of production's canary: a new deployment must predict about what the endpoint predicts now.

Runs at the end of each bake (docs/rollouts.md). Writes the time at which it refuses to the file in its argument.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import requests

TOLERANCE = 0.1
_SAMPLE = Path(__file__).resolve().parents[2] / "ml" / "deploy" / "sample-request.json"
_SECONDS = 30


def predictions(deployment: str) -> list[float]:
    """Return the probabilities that a deployment predicts for the sample."""
    headers = {
        "Authorization": f"Bearer {os.environ['ENDPOINT_KEY']}",
        "Content-Type": "application/json",
        "azureml-model-deployment": deployment,
    }
    answer = requests.post(
        os.environ["SCORING_URI"], data=_SAMPLE.read_text("utf-8"), headers=headers, timeout=_SECONDS
    )
    answer.raise_for_status()
    return [each["delay_probability"] for each in answer.json()["predictions"]]


def main(known: str, refused: str) -> None:
    """Compare with the predictions of the version of before. The demo wrote them to the file `known`."""
    found, percent = predictions(os.environ["DEPLOYMENT_NAME"]), os.environ["TRAFFIC_PERCENT"]
    before = json.loads(Path(known).read_text("utf-8"))
    difference = max(abs(a - b) for a, b in zip(found, before, strict=True))
    print(f"predictions differ by up to {difference:.3f} at {percent} % of the traffic; {TOLERANCE} is allowed")
    if difference > TOLERANCE:
        Path(refused).write_text(str(time.time()), "utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
