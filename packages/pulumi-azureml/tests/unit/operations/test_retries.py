"""Pain 26: azure-core's own policies repeat what Azure throttles or drops, and wait as long as it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, HttpTransport
from azure.core.pipeline.transport._base import HttpResponse

from pulumi_azureml.operations.connection import say_when_to_ask_again

ID = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
    "/environments/env/versions/1"
)
ENVIRONMENT = {"id": ID, "name": "1", "properties": {"image": "python:3.11", "isAnonymous": False}}


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

    def __init__(self, *failures: tuple[int, dict[str, str]] | Exception) -> None:
        self.failures = list(failures)
        self.asked = 0
        self.slept: list[float] = []
        self.code = "Busy"

    def send(self, request: HttpRequest, **_: Any) -> HttpResponse:
        self.asked += 1
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return Answer(request, failure[0], failure[1], {"error": {"code": self.code, "message": "later"}})
        return Answer(request, 200, {"Content-Type": "application/json"}, ENVIRONMENT)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Credential:
    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 4102444800)


@pytest.fixture
def get() -> Callable[[Transport], Any]:
    """Return a function that reads an environment version through a transport, by the real client."""
    from azure.ai.ml import MLClient

    def get(transport: Transport) -> Any:
        options = {"raw_response_hook": say_when_to_ask_again} if transport.code != "Busy" else {}
        ml = MLClient(Credential(), "s", "rg", "ws", transport=transport, enable_telemetry=False, **options)
        return ml.environments.get("env", version="1")

    return get


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_throttling_and_server_errors_are_repeated_after_the_time_that_azure_says(
    get: Callable[[Transport], Any], status: int
) -> None:
    transport = Transport((status, {"Retry-After": "7"}), (status, {"Retry-After": "3"}))
    assert get(transport).image == "python:3.11"
    assert transport.slept == [7, 3]


def test_a_connection_that_breaks_is_tried_again(get: Callable[[Transport], Any]) -> None:
    transport = Transport(ServiceRequestError("connection reset"))
    assert get(transport).image == "python:3.11"
    assert transport.asked == 2


@pytest.mark.parametrize(("code", "asked"), [("ExpiredAuthenticationToken", 3), ("InvalidAuthenticationToken", 1)])
def test_only_an_expired_token_is_worth_another_attempt(get: Callable[[Transport], Any], code: str, asked: int) -> None:
    transport = Transport((401, {}), (401, {}))
    transport.code = code
    if asked == 1:
        with pytest.raises(HttpResponseError):
            get(transport)
    else:
        assert get(transport).image == "python:3.11"
        assert transport.slept == [0.5, 0.5]
    assert transport.asked == asked


def test_a_refusal_is_not_repeated(get: Callable[[Transport], Any]) -> None:
    transport = Transport((400, {}))
    with pytest.raises(HttpResponseError):
        get(transport)
    assert transport.asked == 1
