"""A webhook on loopback that keeps what it gets, and answers Event Grid's validation."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SECONDS = 20.0


@dataclass
class Receiver:
    """What a webhook got. `statuses` are the statuses of its next answers; 200 afterwards."""

    url: str = ""
    got: list[Any] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    validates: bool = True

    def wait(self, count: int) -> list[Any]:
        """Return what came, when `count` requests did."""
        deadline = time.monotonic() + _SECONDS
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"only {len(self.got)} of {count} requests came"
            time.sleep(0.02)
        return self.got


@contextmanager
def listening() -> Iterator[Receiver]:
    """Listen until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer: Any = {}
            status = 200
            if self.headers.get("aeg-event-type") == "SubscriptionValidation":
                answer = {"validationResponse": body[0]["data"]["validationCode"]} if receiver.validates else {}
            else:
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.got.append(body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
