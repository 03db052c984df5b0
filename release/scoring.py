"""Send a request to an endpoint the way its callers do: plain HTTPS and the endpoint's own key or token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import DefaultAzureCredential

from infra.outputs import Endpoint, StackOutputs
from release.errors import ReleaseError

_ARM = "https://management.azure.com"
_API_VERSION = "2024-10-01"
_AZUREML_SCOPE = "https://ml.azure.com/.default"


def score(outputs: StackOutputs, name: str, request: Path) -> Any:
    """Score a JSON file and return the parsed answer.

    Raises:
        ReleaseError: the file is missing, or the endpoint refuses or fails; the message has its status and reason.
    """
    if not request.is_file():
        raise ReleaseError(f"there is no request file {request}")
    endpoint = outputs.endpoints[name]
    headers = {"Authorization": f"Bearer {key(outputs, name)}", "Content-Type": "application/json"}
    answer = _send(HttpRequest("POST", endpoint.scoring_uri, headers=headers, content=request.read_bytes()))
    if answer.status_code != 200:
        raise ReleaseError(f"endpoint '{name}' answered {answer.status_code} to {request.name}: {answer.text()[:2000]}")
    return json.loads(answer.text())


def key(outputs: StackOutputs, name: str) -> str:
    """Return an endpoint's primary key, or a token where it has no keys.

    Raises:
        ReleaseError: the signed-in identity may not read it.
    """
    endpoint: Endpoint = outputs.endpoints[name]
    with DefaultAzureCredential() as credential:
        if endpoint.auth_mode == "aad_token":
            return credential.get_token(_AZUREML_SCOPE).token
        token = credential.get_token(f"{_ARM}/.default").token
    action, field = ("listKeys", "primaryKey") if endpoint.auth_mode == "key" else ("token", "accessToken")
    url = f"{_ARM}{outputs.workspace_id}/onlineEndpoints/{name}/{action}?api-version={_API_VERSION}"
    answer = _send(HttpRequest("POST", url, headers={"Authorization": f"Bearer {token}"}))
    if answer.status_code != 200:
        raise ReleaseError(f"cannot read the key of endpoint '{name}' ({answer.status_code}): {answer.text()[:2000]}")
    return str(json.loads(answer.text())[field])


def _send(request: HttpRequest) -> HttpResponse:
    try:
        with PipelineClient[HttpRequest, HttpResponse](request.url, policies=[RetryPolicy()]) as client:
            response = client.send_request(request)
            response.read()
    except AzureError as error:
        raise ReleaseError(f"{request.method} {request.url} failed: {error}") from error
    return response
