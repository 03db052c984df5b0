"""`make up` again when nothing changed: its time, and what it asks of Azure."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.bench.figure import Figure, timed
from tests.bench.ground import Ground

_ASSETS = re.compile(r"/workspaces/[^/]+/(codes|components|data|environments|models|schedules)(/|$)")


def measure(ground: Ground) -> list[Figure]:
    """Time it, and count the requests that amlite saw meanwhile."""
    clone = ground.deployed.clone
    log = clone.state / "logs" / "requests.jsonl"
    took: list[float] = []
    requests: list[float] = []
    assets: list[float] = []
    for _ in range(ground.runs):
        before = len(_paths(log))
        with timed(took):
            clone.run("make up")
        seen = _paths(log)[before:]
        requests.append(float(len(seen)))
        assets.append(float(sum(bool(_ASSETS.search(path)) for path in seen)))
    return [
        Figure("make up again, nothing changed", took, "<= 15 s"),
        Figure("  requests for Azure ML assets", assets, "0", unit="requests"),
        Figure("  requests in all, scoring included", requests, unit="requests"),
    ]


def _paths(log: Path) -> list[str]:
    return [json.loads(line)["path"] for line in log.read_text("utf-8").splitlines()]
