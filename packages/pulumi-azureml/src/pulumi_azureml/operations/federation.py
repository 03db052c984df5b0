"""Sign-in with the ID tokens of a CI platform, which live for minutes: a new one is fetched for each access token.

The environment variables are those of the azure-native provider (`auth_azidentity.go` of pulumi-azure-native), so that
one set of them signs in both providers. azure-native asks GitHub itself, or reads a file each time. Azure Pipelines
answers POST only, which azure-native does not send.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUDIENCE = "api://AzureADTokenExchange"
_API_VERSION = "7.1"
_WAITS: dict[str, Any] = {"connection_timeout": 20, "read_timeout": 60}
_RETRIES: dict[str, Any] = {"retry_total": 5, "retry_backoff_max": 20, "retry_on_methods": ["GET", "POST"]}
_SOURCES = """\
  GitHub Actions: give the job `permissions: id-token: write`, so that ACTIONS_ID_TOKEN_REQUEST_URL and \
ACTIONS_ID_TOKEN_REQUEST_TOKEN are set
  Azure Pipelines: use the task AzureCLI@2 with the service connection, and give it \
`env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`
  others: set ARM_OIDC_TOKEN_FILE_PATH to a file with the ID token, and keep it up to date"""


@dataclass(frozen=True)
class FederatedIdentity:
    """An identity that trusts a CI platform, and how its ID token is fetched.

    Attributes:
        source: where the token comes from, in words.
        renews: whether `fetch` returns a new token each time.
        in_azure_native: whether azure-native fetches the token from there too.
    """

    tenant_id: str
    client_id: str
    source: str
    fetch: Callable[[], str]
    renews: bool = True
    in_azure_native: bool = True


def federated_identity(environment: Mapping[str, str]) -> FederatedIdentity | None:
    """Return how the environment signs in by ID tokens; None unless `ARM_USE_OIDC` is true.

    A client secret or certificate comes first, as in azure-native.

    Raises:
        azure.core.exceptions.ClientAuthenticationError: something is missing; the message says what to set.
    """
    first = ("ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH")
    if environment.get("ARM_USE_OIDC") != "true" or any(environment.get(name) for name in first):
        return None
    tenant, client = (_needed(environment, name) for name in ("ARM_TENANT_ID", "ARM_CLIENT_ID"))
    return FederatedIdentity(tenant, client, **_source(environment))


def _source(environment: Mapping[str, str]) -> dict[str, Any]:
    file = environment.get("ARM_OIDC_TOKEN_FILE_PATH")
    if file:
        return {"source": file, "fetch": lambda: Path(file).read_text("utf-8").strip()}
    url, token = (environment.get(f"ACTIONS_ID_TOKEN_REQUEST_{part}") for part in ("URL", "TOKEN"))
    if url and token:
        audience = environment.get("ARM_OIDC_AUDIENCE") or AUDIENCE
        return {"source": "GitHub Actions", "fetch": lambda: _github(url, token, audience)}
    names = ("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
    address, access, connection = (environment.get(name) for name in names)
    if address and access and connection:
        return {
            "source": "Azure Pipelines",
            "fetch": lambda: _azure_pipelines(address, access, connection),
            "in_azure_native": False,
        }
    fixed = environment.get("ARM_OIDC_TOKEN")
    if fixed:
        return {"source": "ARM_OIDC_TOKEN", "fetch": lambda: fixed, "renews": False}
    raise _error(f"ARM_USE_OIDC is true, but nothing says where the ID token comes from\n{_SOURCES}")


def _github(url: str, token: str, audience: str) -> str:
    answer = _ask("GET", url, {"audience": audience}, token, "GitHub Actions")
    return _found(answer, "value", "GitHub Actions")


def _azure_pipelines(address: str, token: str, connection: str) -> str:
    query = {"api-version": _API_VERSION, "serviceConnectionId": connection}
    answer = _ask("POST", address, query, token, "Azure Pipelines")
    return _found(answer, "oidcToken", "Azure Pipelines")


def _ask(method: str, url: str, query: Mapping[str, str], token: str, who: str) -> Any:
    from pulumi_azureml.operations.sdk import AzureError, HttpRequest, PipelineClient, RetryPolicy

    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {token}",
        # Azure DevOps otherwise answers a wrong token with the page on which people sign in.
        "X-TFS-FedAuthRedirect": "Suppress",
    }
    request = HttpRequest(method, url, params=dict(query), headers=headers)
    try:
        with PipelineClient[Any, Any](url, policies=[RetryPolicy()], **_WAITS) as client:
            response = client.send_request(request, **_RETRIES)
            if response.status_code != 200:
                raise _error(f"{who} gave no ID token: {response.status_code} {response.reason}")
            return response.json()
    except ValueError:
        raise _error(f"{who} gave no ID token: its answer is not JSON") from None
    except AzureError as error:
        raise _error(f"{who} gave no ID token: {error.message}") from error


def _found(answer: Any, key: str, who: str) -> str:
    token = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise _error(f"{who} gave no ID token: its answer has no '{key}'")
    return token


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise _error(f"ARM_USE_OIDC is true, but {name} is not set")
    return value


def _error(message: str) -> Exception:
    from pulumi_azureml.operations.sdk import ClientAuthenticationError

    return ClientAuthenticationError(message)
