"""Where the stand-in's ID tokens come from: the order is that of azure-native's `auth_azidentity.go`."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.identity import ClientAssertionCredential, ClientSecretCredential

from amlite.pulumi.azure_session import AzureSession, ConfigurationError

TENANT = "10ca1000-0000-4000-8000-616d6c697465"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> AzureSession:
    for name in (
        "ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH",
        "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name, value in {"ARM_USE_OIDC": "true", "ARM_TENANT_ID": TENANT, "ARM_CLIENT_ID": "client"}.items():
        monkeypatch.setenv(name, value)
    made = AzureSession()
    made.configure({})
    return made


def test_a_fixed_token_comes_first_and_stays(
    session: AzureSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARM_OIDC_TOKEN", "fixed")
    monkeypatch.setenv("ARM_OIDC_TOKEN_FILE_PATH", str(tmp_path / "token"))
    assert session._assertion()() == "fixed"
    assert isinstance(session.credential, ClientAssertionCredential)


def test_a_file_is_read_each_time(session: AzureSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("ARM_OIDC_TOKEN_FILE_PATH", str(file))
    ask = session._assertion()
    for token in ("one", "two"):
        file.write_text(token)
        assert ask() == token


def test_without_a_source_it_says_so(session: AzureSession) -> None:
    with pytest.raises(ConfigurationError, match="OIDC token or request URL and token"):
        assert session.credential


def test_a_secret_comes_before_id_tokens(session: AzureSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_CLIENT_SECRET", "secret")
    assert isinstance(session.credential, ClientSecretCredential)
