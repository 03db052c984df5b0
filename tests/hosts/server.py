"""An HTTP server on loopback whose answers a test can replace."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """A request: `path` without the query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """An answer. A `str` as body is sent as a page for people."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeHost(AbstractContextManager[Any]):
    """A host on loopback. Subclasses answer requests in `answer`, one at a time."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.before: Callable[[Request], None] = lambda request: None
        self._instead: list[tuple[str, Answer]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def refuse(self, method: str, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next request of a method in another way. Several calls are for several requests."""
        self._instead.append((method, Answer(status, body, headers or {})))

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def sent(self, *methods: str) -> list[str]:
        """Return the requests so far, or those of some methods."""
        return [str(request) for request in self.requests if not methods or request.method in methods]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, request: Request) -> Answer:
        """Answer a request: in another way if a test said so."""
        self.before(request)
        with self._lock:
            self.requests.append(request)
            for place, (method, answer) in enumerate(self._instead):
                if method == request.method:
                    del self._instead[place]
                    return answer
            return self.answer(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(content) if content else None
                request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
                self._write(fake.take(request))

            def do_POST(self) -> None:
                self.do_GET()

            def do_PATCH(self) -> None:
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def _write(self, answer: Answer) -> None:
                is_page = isinstance(answer.body, str)
                text = answer.body if is_page else "" if answer.body is None else json.dumps(answer.body)
                content = text.encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "text/html" if is_page else "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing."""

        return Handler
