"""Requests to the REST API of a Databricks workspace, as the signed-in identity."""

from __future__ import annotations

import functools
from typing import Any

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from pulumi_azureml.operations import chain, credential, of_azure, transport

# The application of Azure Databricks, which is the same in every tenant.
AUDIENCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"


def send(
    method: str, host: str, path: str, body: dict[str, Any] | None = None, query: dict[str, str] | None = None
) -> dict[str, Any]:
    """Send one request to a workspace's host and return the JSON answer.

    Raises:
        azure.core.exceptions.ResourceNotFoundError: What the request names does not exist.
        azure.core.exceptions.HttpResponseError: The workspace refuses the request. The message contains its answer.
    """
    address = of_azure(f"https://{host}{path}", "azuredatabricks.net")
    request = HttpRequest(method, address, params=query or {}, json=body)
    answer = _client(credential()).send_request(request)
    if answer.status_code >= 400:
        missing = answer.status_code == 404 or "does not exist" in answer.text()
        kind = ResourceNotFoundError if missing else HttpResponseError
        raise kind(f"{method} {path}: {answer.status_code} {answer.text()}", answer)
    return dict(answer.json())


@functools.lru_cache(maxsize=1)
def _client(signed_in: Any) -> PipelineClient[Any, Any]:
    policies = chain(signed_in, f"{AUDIENCE}/.default")
    return PipelineClient("https://azuredatabricks.net", policies=policies, transport=transport())
