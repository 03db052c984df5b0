"""How a request reaches an endpoint, whatever it asks of its callers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from azure.core.exceptions import HttpResponseError

from infra.outputs import EndpointOutput
from pulumi_azureml.operations import scoring
from pulumi_azureml.operations.scoring import Target
from release import scoring as released
from release.errors import ReleaseError

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ID = f"{WORKSPACE}/onlineEndpoints/flights"
URI = "https://flights.westeurope.inference.ml.azure.com/score"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
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


@pytest.mark.parametrize(
    ("mode", "bearer"),
    [("key", "the key"), ("aml_token", "a token"), ("aad_token", "token for https://ml.azure.com/.default")],
)
def test_each_kind_of_endpoint_gets_what_it_asks_for(sent: list[Any], mode: str, bearer: str) -> None:
    assert scoring.score(Target(ID, URI, mode), {"a": 1}) == {"ok": True}
    assert sent[0].headers["Authorization"] == f"Bearer {bearer}"
    assert json.loads(sent[0].content) == {"a": 1}


def test_a_smoke_test_names_its_deployment_to_no_other_request(sent: list[Any]) -> None:
    """azure-ai-ml's own invoke shares one dictionary of headers among all calls."""
    target = Target(ID, URI, "key")
    scoring.score(target, {"a": 1}, "blue-2")
    scoring.score(target, {"a": 1})
    assert [request.headers.get("azureml-model-deployment") for request in sent] == ["blue-2", None]


def outputs(mode: str) -> Any:
    endpoint = EndpointOutput.model_validate(
        {"kind": "online", "auth_mode": mode, "scoring_uri": URI, "deployment": "blue-1"}
    )
    return SimpleNamespace(workspace_id=WORKSPACE, endpoints={"flights": endpoint})


def test_the_release_scores_by_the_stacks_outputs(sent: list[Any], tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"a": 1}')
    assert released.score(outputs("aml_token"), "flights", tmp_path / "request.json") == {"ok": True}
    assert sent[0].headers["Authorization"] == "Bearer a token"
    assert released.key(outputs("key"), "flights") == "the key"


def test_the_release_says_what_is_wrong_with_a_request(sent: list[Any], tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="there is no request file"):
        released.score(outputs("key"), "flights", tmp_path / "request.json")
    (tmp_path / "request.json").write_text("{")
    with pytest.raises(ReleaseError, match=r"request\.json is not JSON"):
        released.score(outputs("key"), "flights", tmp_path / "request.json")
    assert sent == []


def test_a_key_that_may_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Any:
        raise HttpResponseError("403 Forbidden: AuthorizationFailed")

    monkeypatch.setattr(scoring, "send", refuse)
    with pytest.raises(ReleaseError, match="cannot read the key of endpoint 'flights': 403 Forbidden"):
        released.key(outputs("key"), "flights")
