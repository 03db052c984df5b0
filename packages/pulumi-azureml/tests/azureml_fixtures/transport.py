"""A transport of azure-core that answers without a network."""

from __future__ import annotations

import json
from typing import Any

from azure.core.pipeline.transport import HttpRequest, HttpTransport
from azure.core.pipeline.transport._base import HttpResponse


class Answer(HttpResponse):
    """A canned answer."""

    def __init__(self, request: HttpRequest, status: int, headers: dict[str, str], body: Any) -> None:
        super().__init__(request, None)
        self.status_code, self.headers, self.reason = status, headers, "canned"
        self.content_type = "application/json"
        self._text = json.dumps(body).encode()

    def body(self) -> bytes:
        return self._text

    def json(self) -> Any:
        return json.loads(self._text)


class Transport(HttpTransport):  # type: ignore[type-arg]
    """Answers each request with the next of its failures, then with success; notes how long it was told to sleep."""

    def __init__(
        self, *failures: tuple[int, dict[str, str]] | Exception, content: Any = None, status: int = 200
    ) -> None:
        self.failures = list(failures)
        self.content, self.status = content, status
        self.requests: list[HttpRequest] = []
        self.tokens: list[str] = []
        self.slept: list[float] = []
        self.code, self.message = "Busy", "later"

    @property
    def asked(self) -> int:
        return len(self.requests)

    def send(self, request: HttpRequest, **_: Any) -> HttpResponse:
        self.requests.append(request)
        self.tokens.append(request.headers.get("Authorization", ""))
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return Answer(request, failure[0], failure[1], {"error": {"code": self.code, "message": self.message}})
        return Answer(request, self.status, {"Content-Type": "application/json"}, self.content)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
