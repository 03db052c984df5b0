"""An endpoint under load from many connections: a rollout loses nothing, and a killed server only what it answered."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from amlite.testing import LocalAzure
from tests.checkout import Checkout, checkout
from tests.load import Load, allow

CONNECTIONS = 32
SECONDS = 60
DEPLOYMENT = "ml/deploy/blue-deployment.yml"


def test_a_rollout_loses_no_request_and_a_killed_server_those_in_flight(tmp_path: Path) -> None:
    with checkout(tmp_path / "clone") as clone:
        allow(clone.root, CONNECTIONS)
        clone.run("make up")
        load = _callers(clone)
        try:
            began = time.monotonic()
            file = clone.root / DEPLOYMENT
            file.write_text(f"{file.read_text('utf-8')}environment_variables:\n  ROUND: second\n", "utf-8")
            printed = clone.run("make up TRAIN=no")
            assert "100 %" in printed, printed
            assert set(load.count()) == {"answered"}
            os.kill(_server(clone), signal.SIGKILL)
            at_kill = load.count()["answered"]
            time.sleep(max(10.0, began + SECONDS - time.monotonic()))
            found = load.end()
        finally:
            load.stop()
        answered = found.pop("answered")
        assert answered > at_kill + CONNECTIONS, "the server came back"
        assert sum(found.values()) <= CONNECTIONS, found
        assert set(found) <= {"424"}, found
        clone.run("make down")
        assert clone.leftovers() == []


def _callers(clone: Checkout) -> Load:
    outputs = json.loads(clone.run(".venv/bin/amlite run -- pulumi stack output --json --stack local"))
    key = clone.run(".venv/bin/amlite run -- release key flight-delay --stack local").strip()
    environment = LocalAzure(clone.state).environment(clone.environment)
    uri, request = outputs["endpoints"]["flight-delay"]["scoring_uri"], clone.root / "ml/deploy/sample-request.json"
    return Load.begin(uri, key, request, connections=CONNECTIONS, environment=environment)


def _server(clone: Checkout) -> int:
    """Return the process id of the endpoint's only model server."""
    status = json.loads(clone.run(".venv/bin/amlite status --output json"))
    (found,) = (int(child["pid"]) for child in status["children"] if "flight-delay" in child["name"])
    return found
