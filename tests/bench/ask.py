"""`python -m tests.bench.ask PORT COUNT`, run in a deployed clone: asks the endpoint and its model server in turns.

The endpoint's key is in the variable ENDPOINT_KEY. Prints two JSON lists of milliseconds: through
the endpoint, and directly.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import requests

from release.stack import PulumiStack
from tests.bench.figure import timed

_ENDPOINT = "flight-delay"


def main(port: int, count: int) -> None:
    """Send `count` requests to each."""
    outputs = PulumiStack("local").deployed()
    body = Path("ml/deploy/sample-request.json").read_bytes()
    samples: tuple[list[float], list[float]] = ([], [])
    with requests.Session() as session:
        session.headers["Content-Type"] = "application/json"
        authorization = {"Authorization": f"Bearer {os.environ['ENDPOINT_KEY']}"}
        targets: tuple[tuple[str, dict[str, str], list[float]], ...] = (
            (outputs.endpoints[_ENDPOINT].scoring_uri, authorization, samples[0]),
            (f"http://127.0.0.1:{port}/score", {}, samples[1]),
        )
        for _ in range(count):
            for address, headers, times in targets:
                with timed(times):
                    session.post(address, data=body, headers=headers).raise_for_status()
    print(json.dumps([[seconds * 1000 for seconds in times] for times in samples]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
