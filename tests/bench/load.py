"""Requests per second through the endpoint, beside the model server asked directly, from many connections at once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from amlite.testing import LocalAzure
from tests.bench.figure import Figure
from tests.bench.ground import Ground
from tests.load import Load, allow

CONNECTIONS = 32
_SAMPLING = "azureml-platform:overrides.endpoints.flight-delay.deployments.blue.samplingRate"
_SECONDS = 12.0  # of each kind, for every run


def measure(ground: Ground) -> list[Figure]:
    """Load both in turns: with a deployment that collects all requests, then with one that collects one of ten."""
    clone = ground.deployed.clone
    allow(clone.root, CONNECTIONS)
    clone.run("make up TRAIN=no")
    azure = LocalAzure(clone.state)
    collected = _both(ground, azure)
    clone.run(f".venv/bin/amlite run -- pulumi config set --stack local --path {_SAMPLING} 0.1")
    clone.run("make up TRAIN=no")
    sampled = _both(ground, azure)
    return [
        Figure(
            f"requests per second through the endpoint, {CONNECTIONS} connections, one of ten collected",
            sampled[0], "≥0.95 of the server", "the model server", sampled[1], "requests",
        ),
        Figure(
            f"requests per second through the endpoint, {CONNECTIONS} connections, all collected",
            collected[0], "≥0.95 of the server", "the model server", collected[1], "requests",
        ),
    ]  # fmt: skip


def _both(ground: Ground, azure: LocalAzure) -> tuple[list[float], list[float]]:
    """Return the rates through the endpoint, and those of its model server, taken in turns."""
    clone = ground.deployed.clone
    clone.run(".venv/bin/amlite run -- release score flight-delay --stack local")  # its server runs now
    status = json.loads(clone.run(".venv/bin/amlite status --output json"))
    servers = [child["socket"] for child in status["children"] if "flight-delay" in child["name"]]
    if len(servers) != 1:
        raise RuntimeError(f"expected one model server of flight-delay, amlite runs {status['children']}")
    outputs = json.loads(clone.run(".venv/bin/amlite run -- pulumi stack output --json --stack local"))
    uri = outputs["endpoints"]["flight-delay"]["scoring_uri"]
    key = clone.run(".venv/bin/amlite run -- release key flight-delay --stack local").strip()
    request = clone.root / "ml/deploy/sample-request.json"
    environment = azure.environment(clone.environment)
    through: list[float] = []
    direct: list[float] = []
    for _ in range(ground.runs):
        for address, rates in ((uri, through), (servers[0], direct)):
            rates.append(_rate(address, key, request, environment))
    return through, direct


def _rate(address: str, key: str, request: Path, environment: Mapping[str, str]) -> float:
    """Return the answered requests per second. Raises RuntimeError if one is lost."""
    load = Load.begin(address, key, request, connections=CONNECTIONS, environment=environment)
    try:
        load.count()  # the callers have begun
        began = time.monotonic()
        time.sleep(_SECONDS)
        seconds, found = time.monotonic() - began, load.end()
    finally:
        load.stop()
    if set(found) != {"answered"}:
        raise RuntimeError(f"not every request was answered: {found}")
    return found["answered"] / seconds
