"""A prediction through the endpoint, beside the model server asked directly."""

from __future__ import annotations

import json

from tests.bench.figure import Figure
from tests.bench.ground import Ground

_REQUESTS = 40  # of each kind, for every run


def measure(ground: Ground) -> list[Figure]:
    """Ask both in turns, over kept connections."""
    clone = ground.deployed.clone
    clone.run(".venv/bin/amlite run -- release score flight-delay --stack local")  # its server runs now
    status = json.loads(clone.run(".venv/bin/amlite status --output json"))
    servers = [child["socket"] for child in status["children"] if "flight-delay" in child["name"]]
    if len(servers) != 1:
        raise RuntimeError(f"expected one model server of flight-delay, amlite runs {status['children']}")
    ask = f"python -m tests.bench.ask {servers[0]} {_REQUESTS * ground.runs}"
    command = f"ENDPOINT_KEY=$(release key flight-delay --stack local) {ask}"
    through, direct = json.loads(clone.run(f".venv/bin/amlite run -- sh -c '{command}'").splitlines()[-1])
    return [
        Figure("a prediction through the endpoint (TLS, key, traffic)", through, "", "the model server", direct, "ms")
    ]
