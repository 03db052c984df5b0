"""The demo of releases can fail: its callers notice what they do not get, and its check of a canary refuses."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.release_demo import compare, load


class Endpoint:
    """Answers requests with the codes in `codes`, in turn, and remembers the deployment that was asked for."""

    def __init__(self) -> None:
        self.codes = [200]
        self.answered = 0
        self.asked: list[str | None] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked.append(self.headers["azureml-model-deployment"])
                code = endpoint.codes[endpoint.answered % len(endpoint.codes)]
                endpoint.answered += 1
                body = json.dumps({"predictions": [{"delay_probability": 0.4}]}).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/score"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_callers_count_every_request_that_got_no_prediction(endpoint: Endpoint) -> None:
    endpoint.codes = [200, 503]
    ended, results = threading.Event(), Counter[str]()
    sender = threading.Thread(target=load.send, args=(endpoint.uri, "a key", "{}", ended, results))
    sender.start()
    while sum(results.values()) < 4:
        time.sleep(0.01)
    ended.set()
    sender.join()
    assert results["answered"] + results["503"] == sum(results.values()) == endpoint.answered
    assert min(results["answered"], results["503"]) >= 2


@pytest.mark.parametrize(("before", "refuses"), [(0.45, False), (0.7, True)])
def test_the_check_of_a_canary_refuses_other_predictions(
    before: float, refuses: bool, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT_KEY": "k", "DEPLOYMENT_NAME": "blue-2", "SCORING_URI": endpoint.uri}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRAFFIC_PERCENT", "10")
    known, refused = tmp_path / "known.json", tmp_path / "refused"
    known.write_text(json.dumps([before]))
    if refuses:
        with pytest.raises(SystemExit):
            compare.main(str(known), str(refused))
    else:
        compare.main(str(known), str(refused))
    assert refused.exists() is refuses
    assert endpoint.asked == ["blue-2"]
