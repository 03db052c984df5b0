"""Answers requests to one endpoint, whatever it asks of its callers, and records them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from azureml_fixtures.transport import Transport
from pulumi_azureml.operations import scoring

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ID = f"{WORKSPACE}/onlineEndpoints/flights"
URI = "https://flights.westeurope.inference.ml.azure.com/score"


def recorded(
    monkeypatch: pytest.MonkeyPatch, *failures: tuple[int, dict[str, str]] | Exception, mode: str = "Key"
) -> Transport:
    """Answer scoring requests with these failures and then with success, and return the transport that records them.

    In Azure, the endpoint has a mode.
    """
    transport = Transport(*failures, content={"ok": True})
    monkeypatch.setattr(scoring, "transport", lambda: transport)
    known = {
        ID: {"properties": {"scoringUri": URI, "authMode": mode}},
        f"{ID}/listKeys": {"primaryKey": "the key"},
        f"{ID}/token": {"accessToken": "a token"},
    }
    monkeypatch.setattr(scoring, "send", lambda _method, id_, _version: known[id_])
    issued = SimpleNamespace(get_token=lambda scope: SimpleNamespace(token=f"token for {scope}"))
    monkeypatch.setattr(scoring, "credential", lambda: issued)
    return transport
