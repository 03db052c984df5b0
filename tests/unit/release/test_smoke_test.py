"""The smoke test at the end of a deployment: it sends the sample, and it ends in time."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.outputs import EndpointOutput
from pulumi_azureml import Overrides
from pulumi_azureml.operations import scoring
from release.deploying import smoke_test as tested
from release.errors import ReleaseError


def outputs(**changed: Any) -> Any:
    parts = {"name": "flights-prod", "kind": "online", "auth_mode": "key", "scoring_uri": "x", "deployment": "blue-1"}
    endpoint = EndpointOutput.model_validate({**parts, **changed})
    return SimpleNamespace(workspace_id="/w", endpoints={"flights": endpoint}, overrides=Overrides())


def in_azure(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """Let Azure have the endpoint at an address."""
    known = {"/w/onlineEndpoints/flights-prod": {"properties": {"scoringUri": uri, "authMode": "Key"}}}
    monkeypatch.setattr(scoring, "send", lambda _method, id_, _version: known[id_])


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "sample-request.json").write_text("{}")
    monkeypatch.setattr(tested, "program_folder", lambda: tmp_path)
    monkeypatch.setattr(tested, "sample_of", lambda *_: "sample-request.json")
    monkeypatch.setattr(scoring, "access_key", lambda _target: "a key")
    return []


def test_an_endpoint_that_hangs_fails_in_time(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel accepts the connection, and nobody answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}/score"
        in_azure(monkeypatch, uri)
        with pytest.raises(ReleaseError, match=r"endpoint 'flights' did not answer sample-request\.json within 0\.3 s"):
            tested.smoke_test(outputs(), "flights", 0.3, said.append)


@pytest.mark.attack
def test_an_address_in_the_state_gets_no_key(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as evil, socket.create_server(("127.0.0.1", 0)) as real:
        evil.setblocking(False)
        in_azure(monkeypatch, f"http://127.0.0.1:{real.getsockname()[1]}/score")
        forged = outputs(scoring_uri=f"http://127.0.0.1:{evil.getsockname()[1]}/score", auth_mode="aad_token")
        with pytest.raises(ReleaseError, match=r"endpoint 'flights' did not answer"):
            tested.smoke_test(forged, "flights", 0.3, said.append)
        with pytest.raises(BlockingIOError):
            evil.accept()


def test_an_endpoint_without_a_deployment_fails(said: list[str]) -> None:
    with pytest.raises(ReleaseError, match="endpoint 'flights' has no deployment"):
        tested.smoke_test(outputs(deployment=None), "flights", 1, said.append)


def test_what_has_no_sample_or_scores_in_jobs_is_not_tested(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tested.smoke_test(outputs(kind="batch"), "flights", 1, said.append)
    monkeypatch.setattr(tested, "sample_of", lambda *_: None)
    tested.smoke_test(outputs(), "flights", 1, said.append)
    assert said == ["endpoint flights: no smoke test, because there is no sample-request.json beside its endpoint.yml"]
