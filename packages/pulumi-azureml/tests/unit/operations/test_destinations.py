"""A token goes to hosts of Azure only, whatever a state or an answer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from azureml_fixtures.scoring_requests import ID, URI
from pulumi_azureml.operations import Runs, arm, scoring
from pulumi_azureml.operations.destinations import of_azure
from pulumi_azureml.operations.scoring import ScoringTarget


@pytest.mark.parametrize(
    "url", ["https://azureml.ms/a", "https://westeurope.api.azureml.ms:443/a?b=c", "https://evil.com@azureml.ms/"]
)
def test_a_host_of_a_domain_is_one_of_azure(url: str) -> None:
    assert of_azure(url, "azureml.net", "azureml.ms") == url


@pytest.mark.attack
@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/azureml.ms",
        "https://azureml.ms@example.org/",
        "https://azureml.ms:443@example.org/",
        "https://azureml.ms.example.org/",
        "https://evilazureml.ms/",
        "https://example.org\\.azureml.ms/",
        "https://example.org#.azureml.ms/",
        "https://example.org?.azureml.ms/",
        "http://westeurope.api.azureml.ms/",
        "azureml.ms",
        "",
    ],
)
def test_another_host_gets_nothing(url: str) -> None:
    with pytest.raises(AzureError, match="nothing is sent to"):
        of_azure(url, "azureml.ms")


@pytest.mark.attack
@pytest.mark.parametrize(
    "ask",
    [
        lambda: arm.send("POST", "@example.org/onlineEndpoints/flights/listKeys", "2024-10-01"),
        lambda: arm.send("GET", ":443@example.org/", "2024-10-01"),
        lambda: arm.send("GET", ".example.org/", "2024-10-01"),
        lambda: list(arm.pages("@example.org/jobs", "2024-10-01")),
        lambda: arm.finish("DELETE", "@example.org/", "2024-10-01"),
        lambda: Runs("azureml://example.org/mlflow/v1.0/subscriptions/s").get("run"),
        lambda: ScoringTarget.at("@example.org/onlineEndpoints/flights"),
    ],
)
def test_no_request_leads_elsewhere(ask: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(arm, "credential", lambda: asked.append("a token"))
    with pytest.raises(AzureError, match=r"nothing is sent to .*example\.org"):
        ask()
    assert asked == []


@pytest.mark.parametrize(("written", "mode"), [("Key", "key"), ("AMLToken", "aml_token"), ("aadtoken", "aad_token")])
def test_azure_says_where_an_endpoint_is(written: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "send", lambda *_: {"properties": {"scoringUri": URI, "authMode": written}})
    assert ScoringTarget.at(ID) == ScoringTarget(ID, URI, mode)
