"""Which variables say how a CI job signs in, and what its ID tokens are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, DefaultAzureCredential

from pulumi_azureml.operations import connection
from pulumi_azureml.operations.federation import federated_identity

IDENTITY = {"ARM_USE_OIDC": "true", "ARM_TENANT_ID": "tenant", "ARM_CLIENT_ID": "client"}
OURS = ("ARM_", "ACTIONS_ID_TOKEN", "SYSTEM_", "AZURESUBSCRIPTION_")


@dataclass
class Platform:
    """A CI platform that answers with what a test sets, and keeps what it was asked."""

    url: str = ""
    status: int = 200
    body: str = ""
    asked: list[tuple[str, dict[str, list[str]], str | None]] = field(default_factory=list)


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            made.asked.append((self.command, query, self.headers.get("Authorization")))
            self.send_response(made.status)
            self.end_headers()
            self.wfile.write(made.body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def _github(platform: Platform) -> dict[str, str]:
    return {
        **IDENTITY,
        "ACTIONS_ID_TOKEN_REQUEST_URL": platform.url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
    }


def test_github_is_asked_anew_for_each_token(platform: Platform) -> None:
    trusted = federated_identity(_github(platform))
    assert trusted is not None
    assert (trusted.tenant_id, trusted.client_id, trusted.renews) == ("tenant", "client", True)
    for token in ("one", "two"):
        platform.body = json.dumps({"value": token})
        assert trusted.fetch() == token
    query = {"api-version": ["2.0"], "audience": ["api://AzureADTokenExchange"]}
    assert platform.asked == [("GET", query, "Bearer secret")] * 2


def test_azure_pipelines_is_asked_by_post(platform: Platform) -> None:
    platform.body = json.dumps({"oidcToken": "one"})
    variables = {
        "SYSTEM_OIDCREQUESTURI": platform.url.partition("?")[0],
        "SYSTEM_ACCESSTOKEN": "secret",
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
    }
    trusted = federated_identity(IDENTITY | variables)
    assert trusted is not None
    assert trusted.fetch() == "one"
    assert not trusted.in_azure_native
    query = {"api-version": ["7.1"], "serviceConnectionId": ["connection"]}
    assert platform.asked == [("POST", query, "Bearer secret")]


def test_a_file_is_read_each_time_and_comes_first(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "token"
    trusted = federated_identity(_github(platform) | {"ARM_OIDC_TOKEN_FILE_PATH": str(file), "ARM_OIDC_TOKEN": "fixed"})
    assert trusted is not None
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert trusted.fetch() == token


def test_a_fixed_token_is_taken_where_nothing_renews_it() -> None:
    trusted = federated_identity(IDENTITY | {"ARM_OIDC_TOKEN": "fixed"})
    assert trusted is not None
    assert (trusted.fetch(), trusted.renews) == ("fixed", False)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ACTIONS_ID_TOKEN_REQUEST_URL": "x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "y"},
        IDENTITY | {"ARM_CLIENT_SECRET": "secret"},
        IDENTITY | {"ARM_CLIENT_CERTIFICATE_PATH": "ci.pfx"},
    ],
)
def test_other_environments_sign_in_in_other_ways(environment: dict[str, str]) -> None:
    assert federated_identity(environment) is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ARM_USE_OIDC": "true"}, "ARM_TENANT_ID is not set"),
        ({"ARM_USE_OIDC": "true", "ARM_TENANT_ID": "x"}, "ARM_CLIENT_ID is not set"),
        (IDENTITY, r"(?s)GitHub Actions: .*id-token: write.*Azure Pipelines: .*SYSTEM_ACCESSTOKEN"),
    ],
)
def test_what_is_missing_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ClientAuthenticationError, match=said):
        federated_identity(environment)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, "", "GitHub Actions gave no ID token: 401"),
        (200, "<html>sign in</html>", "its answer is not JSON"),
        (200, "{}", "its answer has no 'value'"),
    ],
)
def test_a_platform_that_gives_no_token_is_named_without_its_secret(
    platform: Platform, status: int, body: str, said: str
) -> None:
    platform.status, platform.body = status, body
    trusted = federated_identity(_github(platform))
    assert trusted is not None
    with pytest.raises(ClientAuthenticationError, match=said) as refused:
        trusted.fetch()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("oidc", "kind"), [("true", ClientAssertionCredential), ("", DefaultAzureCredential)])
def test_all_clients_of_the_process_sign_in_like_that(oidc: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH"):
        monkeypatch.delenv(name, raising=False)
    identity = {**IDENTITY, "ARM_USE_OIDC": oidc, "ARM_OIDC_TOKEN": "fixed", "ARM_TENANT_ID": "x" * 36}
    for name, value in identity.items():
        monkeypatch.setenv(name, value)
    connection.sign_in_again()
    assert isinstance(connection.credential().inner, kind)
    connection.sign_in_again()
