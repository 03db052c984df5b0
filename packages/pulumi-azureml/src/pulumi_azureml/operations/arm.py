"""Azure Resource Manager requests for operations that azure-ai-ml lacks, such as metrics and unique names."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.connection import RETRIES, SharedCredential, chain, credential, transport
from pulumi_azureml.operations.destinations import of_azure

if TYPE_CHECKING:
    from azure.core import PipelineClient

_BASE = "https://management.azure.com"
# The hosts that get a token: Azure Resource Manager, and run history and MLflow of Azure Machine Learning.
_DOMAINS = ("management.azure.com", "azureml.ms", "azureml.net")
_POLL_SECONDS = 5.0
_NO_SUCH_RANGE = 416  # a blob has no byte after its last


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


def time_of(resource_id: str, api_version: str) -> datetime:
    """Return the time on Azure's clock, by the answer about a resource, or this machine's time if it has none.

    Metrics count on Azure's clock. Whether the resource exists does not matter.
    """
    from pulumi_azureml.operations.sdk import AzureError, HttpRequest

    try:
        client = _client(credential())
        request = HttpRequest("GET", of_azure(f"{_BASE}{resource_id}", *_DOMAINS), params={"api-version": api_version})
        return parsedate_to_datetime(client.send_request(request).headers["Date"]).astimezone(UTC)
    except (AzureError, KeyError, ValueError):
        return datetime.now(UTC)


def pages(path: str, api_version: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every row of a list, page by page; errors as `send`."""
    page = send("GET", path, api_version, query=query)
    while True:
        yield from page["value"]
        if not page.get("nextLink"):
            return
        page = get(page["nextLink"])


def tail(url: str, offset: int) -> bytes:
    """Return a blob's content from a byte on, by an address that contains the permission to read it."""
    from pulumi_azureml.operations.sdk import HttpRequest

    response = _anonymous().send_request(HttpRequest("GET", url, headers={"Range": f"bytes={offset}-"}))
    if response.status_code == _NO_SUCH_RANGE:
        return b""
    _raise_for_status(response)
    return bytes(response.content)


def finish(
    method: str, path: str, api_version: str, query: Mapping[str, str] | None = None, *, body: Any = None
) -> None:
    """Begin a long-running operation, such as a deletion, and wait for its end; errors as `send`."""
    from pulumi_azureml.operations.sdk import ARMPolling, HttpRequest, LROPoller

    asked = {"api-version": api_version, **(query or {})}
    request = HttpRequest(method, of_azure(f"{_BASE}{path}", *_DOMAINS), params=asked, json=body)
    client = _client(credential())
    begun = client.send_request(request, _return_pipeline_response=True)
    _raise_for_status(begun.http_response)
    LROPoller(client, begun, lambda _answer: None, ARMPolling(_POLL_SECONDS)).result()


def _sent(method: str, url: str, body: Any, query: Mapping[str, str]) -> dict[str, Any]:
    from pulumi_azureml.operations.sdk import HttpRequest

    request = HttpRequest(method, of_azure(url, *_DOMAINS), params=dict(query), json=body)
    response = _client(credential()).send_request(request)
    _raise_for_status(response)
    return dict(response.json()) if response.text() else {}


def _raise_for_status(response: Any) -> None:
    from pulumi_azureml.operations.sdk import HttpResponseError, ResourceNotFoundError

    if response.status_code >= 400:
        kind = ResourceNotFoundError if response.status_code == 404 else HttpResponseError
        raise kind(f"{response.status_code} {response.reason}: {response.text()}", response)


@functools.cache
def _anonymous() -> PipelineClient[Any, Any]:
    """Return a client for addresses that contain a signature. Storage refuses those with a token."""
    from pulumi_azureml.operations.sdk import PipelineClient, policies

    return PipelineClient(_BASE, policies=[policies.RetryPolicy(**RETRIES)], transport=transport())


@functools.lru_cache(maxsize=1)
def _client(signed_in: SharedCredential) -> PipelineClient[Any, Any]:
    """Return one client for all threads, with the connections that azure-ai-ml's clients share."""
    from pulumi_azureml.operations.sdk import PipelineClient

    return PipelineClient(_BASE, policies=chain(signed_in, f"{_BASE}/.default"), transport=transport())
