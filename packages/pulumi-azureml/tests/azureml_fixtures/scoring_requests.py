"""Answers requests to one endpoint, whatever it asks of its callers, and records them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Self

import pytest

from pulumi_azureml.operations import scoring

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ID = f"{WORKSPACE}/onlineEndpoints/flights"
URI = "https://flights.westeurope.inference.ml.azure.com/score"


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Answer every scoring request, and return those that were sent."""
    requests: list[Any] = []

    class Response:
        status_code, reason = 200, "OK"

        def json(self) -> Any:
            return {"ok": True}

    class Client:
        def __init__(self, base_url: str, policies: Any) -> None:
            self.base_url = base_url

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def send_request(self, request: Any) -> Response:
            requests.append(request)
            return Response()

    monkeypatch.setattr("azure.core.PipelineClient", Client)
    keys = {"listKeys": {"primaryKey": "the key"}, "token": {"accessToken": "a token"}}
    monkeypatch.setattr(scoring, "send", lambda method, id_, _version: keys[id_.removeprefix(f"{ID}/")])
    issued = SimpleNamespace(get_token=lambda scope: SimpleNamespace(token=f"token for {scope}"))
    monkeypatch.setattr(scoring, "credential", lambda: issued)
    return requests
