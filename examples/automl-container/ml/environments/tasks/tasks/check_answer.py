"""Check the answer of a deployment to the sample request: `python -m tasks.check_answer ANSWER`."""

from __future__ import annotations

import csv
import json
import sys

from tasks.paths import in_image

TARGET = "cultivar"


def check(text: str) -> str:
    """Return how many predictions the answer has: one known label for each row of the request.

    Raises:
        ValueError: The answer is another one.
    """
    request = json.loads(in_image("configs/sample-request.json").read_text("utf-8"))
    rows = len(request["input_data"]["data"])
    try:
        answer = json.loads(text)
    except ValueError:
        raise ValueError(f"the deployment's answer is not JSON: {text[:200]}") from None
    with in_image("data/wine.csv").open(encoding="utf-8", newline="") as file:
        known = {row[TARGET] for row in csv.DictReader(file)}
    if not isinstance(answer, list) or len(answer) != rows or not known.issuperset(map(str, answer)):
        raise ValueError(f"the deployment must answer {rows} of the labels {sorted(known)}, and it answers {answer}")
    return f"the {rows} predictions are known labels"


if __name__ == "__main__":
    try:
        print(check(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"check_answer: {error}")
