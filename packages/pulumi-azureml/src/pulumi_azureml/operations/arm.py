"""Azure Resource Manager requests for operations that azure-ai-ml lacks, such as metrics and autoscale settings."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.connection import RETRIES, credential, say_when_to_ask_again, transport

if TYPE_CHECKING:
    from azure.core import PipelineClient

_BASE = "https://management.azure.com"


def send(
    method: str, resource_id: str, api_version: str, body: Any = None, query: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Send one request and return the JSON response. azure-core retries on throttling and server errors.

    Raises:
        azure.core.exceptions.ResourceNotFoundError: 404.
        azure.core.exceptions.AzureError: the request is refused or fails. The message contains the response.
    """
    return _sent(method, f"{_BASE}{resource_id}", body, {"api-version": api_version, **(query or {})})


def get(url: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """GET a URL, for example one of a workspace's MLflow, and return the JSON response. Raises the errors of `send`."""
    return _sent("GET", url, None, query or {})


def _sent(method: str, url: str, body: Any, query: Mapping[str, str]) -> dict[str, Any]:
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
    from azure.core.rest import HttpRequest

    # A new sign-in needs a new client. The protocol of credentials does not declare that they are hashable.
    client = _client(credential())  # type: ignore[arg-type]
    response = client.send_request(HttpRequest(method, url, params=dict(query), json=body))
    if response.status_code >= 400:
        kind = ResourceNotFoundError if response.status_code == 404 else HttpResponseError
        raise kind(f"{response.status_code} {response.reason}: {response.text()}", response)
    return dict(response.json()) if response.text() else {}


@functools.lru_cache(maxsize=1)
def _client(signed_in: Any) -> PipelineClient[Any, Any]:
    """Return one client for all threads, with the connections that azure-ai-ml's clients share."""
    from azure.core import PipelineClient
    from azure.core.pipeline import policies

    chain = [
        policies.RequestIdPolicy(),
        policies.RetryPolicy(**RETRIES),
        policies.BearerTokenCredentialPolicy(signed_in, f"{_BASE}/.default"),
        policies.CustomHookPolicy(raw_response_hook=say_when_to_ask_again),
    ]
    return PipelineClient(_BASE, policies=chain, transport=transport())
