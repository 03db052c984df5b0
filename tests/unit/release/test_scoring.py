"""How the release finds an endpoint in Azure, and what it says of requests that cannot be sent."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azureml_fixtures.scoring_requests import URI, WORKSPACE, recorded
from infra.outputs import EndpointOutput
from pulumi_azureml.operations import scoring
from release.errors import ReleaseError
from release.scoring import requests as released


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    return recorded(monkeypatch).requests


def outputs() -> Any:
    endpoint = EndpointOutput.model_validate(
        {"name": "flights", "kind": "online", "auth_mode": "key", "scoring_uri": URI, "deployment": "blue-1"}
    )
    return SimpleNamespace(workspace_id=WORKSPACE, endpoints={"delays": endpoint})


@pytest.mark.parametrize(("mode", "key"), [("Key", "the key"), ("AMLToken", "a token")])
def test_the_release_scores_as_azure_says(mode: str, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent = recorded(monkeypatch, mode=mode).requests
    (tmp_path / "request.json").write_text('{"a": 1}')
    assert released.score(outputs(), "delays", tmp_path / "request.json") == {"ok": True}
    assert (sent[0].url, sent[0].headers["Authorization"]) == (URI, f"Bearer {key}")
    assert released.key(outputs(), "delays") == key


def test_a_request_can_be_a_pipe_and_have_a_byte_order_mark(sent: list[Any], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    content = b'\xef\xbb\xbf{"a": 1}'
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,), daemon=True).start()
    assert released.score(outputs(), "delays", tmp_path / "pipe") == {"ok": True}
    with pytest.raises(ReleaseError, match="cannot be read: Is a directory"):
        released.score(outputs(), "delays", tmp_path)
    assert len(sent) == 1


def test_the_release_says_what_is_wrong_with_a_request(sent: list[Any], tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"request file .*request\.json does not exist"):
        released.score(outputs(), "delays", tmp_path / "request.json")
    (tmp_path / "request.json").write_text("{")
    with pytest.raises(ReleaseError, match=r"request\.json is not valid JSON"):
        released.score(outputs(), "delays", tmp_path / "request.json")
    assert sent == []


def test_a_key_that_may_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Any:
        raise HttpResponseError("403 Forbidden: AuthorizationFailed")

    monkeypatch.setattr(scoring, "send", refuse)
    with pytest.raises(ReleaseError, match="cannot read the key of endpoint 'delays': 403 Forbidden"):
        released.key(outputs(), "delays")
