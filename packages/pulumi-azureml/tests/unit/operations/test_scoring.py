"""How a request reaches an endpoint, whatever it asks of its callers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ServiceResponseError

from azureml_fixtures.scoring_requests import ID, URI, recorded
from pulumi_azureml.operations import connection, scoring
from pulumi_azureml.operations.scoring import ScoringTarget


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return recorded(monkeypatch).requests


@pytest.mark.parametrize(
    ("mode", "bearer"),
    [("key", "the key"), ("aml_token", "a token"), ("aad_token", "token for https://ml.azure.com/.default")],
)
def test_each_kind_of_endpoint_gets_what_it_asks_for(sent: list[Any], mode: str, bearer: str) -> None:
    assert scoring.score(ScoringTarget(ID, URI, mode), {"a": 1}) == {"ok": True}
    assert sent[0].headers["Authorization"] == f"Bearer {bearer}"
    assert json.loads(sent[0].content) == {"a": 1}


def test_a_smoke_test_names_its_deployment_to_no_other_request(sent: list[Any]) -> None:
    """azure-ai-ml's own invoke shares one dictionary of headers among all calls."""
    target = ScoringTarget(ID, URI, "key")
    scoring.score(target, {"a": 1}, "blue-2")
    scoring.score(target, {"a": 1})
    assert [request.headers.get("azureml-model-deployment") for request in sent] == ["blue-2", None]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_prediction_that_the_gateway_failed_is_asked_for_again(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = recorded(monkeypatch, (status, {}), ServiceResponseError("connection reset"))
    assert scoring.score(ScoringTarget(ID, URI, "key"), {"a": 1}) == {"ok": True}
    assert transport.asked == 3


@pytest.mark.parametrize("failure", [(503, {}), ServiceResponseError("connection reset")])
def test_a_gateway_that_fails_for_half_a_minute_ends_no_rollout(failure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = recorded(monkeypatch, *[failure] * 6)
    waited: list[float] = []
    monkeypatch.setattr(transport, "sleep", waited.append)
    assert scoring.score(ScoringTarget(ID, URI, "key"), {"a": 1}) == {"ok": True}
    assert 30 < sum(waited) < 60


def test_an_endpoint_whose_token_expired_gets_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = recorded(monkeypatch, (401, {}))
    transport.code = "ExpiredAuthenticationToken"
    assert scoring.score(ScoringTarget(ID, URI, "aml_token"), {"a": 1}) == {"ok": True}
    assert transport.tokens == ["Bearer a token"] * 2


def test_an_endpoint_that_takes_several_tokens_as_expired_gets_another_one_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issued: list[str] = []

    class Cached:
        """Keeps its token, as azure-identity's credentials do."""

        def __init__(self, **_options: Any) -> None:
            self.token = f"token-{len(issued)}"
            issued.append(self.token)

        def get_token(self, *_: str, **__: Any) -> AccessToken:
            return AccessToken(self.token, 4102444800)

    monkeypatch.setattr("pulumi_azureml.operations.sdk.DefaultAzureCredential", Cached)
    connection.sign_in_again()
    transport = recorded(monkeypatch, *[(401, {})] * 4)
    transport.code = "ExpiredAuthenticationToken"
    monkeypatch.setattr(scoring, "credential", connection.credential)
    try:
        assert scoring.score(ScoringTarget(ID, URI, "aad_token"), {"a": 1}) == {"ok": True}
    finally:
        connection.sign_in_again()
    assert transport.tokens == [f"Bearer token-{number}" for number in range(5)]


def test_a_broken_model_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = recorded(monkeypatch, (424, {}))
    with pytest.raises(HttpResponseError):
        scoring.score(ScoringTarget(ID, URI, "key"), {"a": 1})
    assert transport.asked == 1
