"""`python -m tests.bench.ask SOCKET COUNT`, run in a deployed clone: asks the endpoint and its model server in turns.

The endpoint's key is in the variable ENDPOINT_KEY. Prints two JSON lists of milliseconds: through
the endpoint, and directly.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from release.stack import PulumiStack
from tests.bench.figure import timed

_ENDPOINT = "flight-delay"


def _server(path: str) -> HTTPAdapter:
    """Return the adapter of requests that connects to the model server's socket."""

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = socket.socket(socket.AF_UNIX)
            made.connect(path)
            return made

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"http": Pool}
    return adapter


def main(path: str, count: int) -> None:
    """Send `count` requests to each."""
    outputs = PulumiStack("local").deployed()
    body = Path("ml/deploy/sample-request.json").read_bytes()
    samples: tuple[list[float], list[float]] = ([], [])
    with requests.Session() as session:
        session.mount("http://localhost", _server(path))
        session.headers["Content-Type"] = "application/json"
        authorization = {"Authorization": f"Bearer {os.environ['ENDPOINT_KEY']}"}
        targets: tuple[tuple[str, dict[str, str], list[float]], ...] = (
            (outputs.endpoints[_ENDPOINT].scoring_uri, authorization, samples[0]),
            ("http://localhost/score", {}, samples[1]),
        )
        for _ in range(count):
            for address, headers, times in targets:
                with timed(times):
                    session.post(address, data=body, headers=headers).raise_for_status()
    print(json.dumps([[seconds * 1000 for seconds in times] for times in samples]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
