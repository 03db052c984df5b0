"""Score with a deployed endpoint, found in the stack's outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.outputs import StackOutputs
from pulumi_azureml.operations import scoring
from release.errors import ReleaseError


def score(outputs: StackOutputs, name: str, request: Path) -> Any:
    """Score a JSON file and return the parsed answer.

    Raises:
        ReleaseError: the file is missing or no JSON, or the endpoint refuses or fails; the message has its answer.
    """
    from azure.core.exceptions import AzureError

    if not request.is_file():
        raise ReleaseError(f"there is no request file {request}")
    try:
        content = json.loads(request.read_text("utf-8"))
    except ValueError as error:
        raise ReleaseError(f"{request} is not JSON: {error}") from error
    try:
        return scoring.score(_target(outputs, name), content)
    except AzureError as error:
        raise ReleaseError(f"endpoint '{name}' did not answer {request.name}: {error}") from error


def key(outputs: StackOutputs, name: str) -> str:
    """Return an endpoint's primary key, or a token where it has no keys.

    Raises:
        ReleaseError: the signed-in identity may not read it.
    """
    from azure.core.exceptions import AzureError

    try:
        return scoring.access_key(_target(outputs, name))
    except AzureError as error:
        raise ReleaseError(f"cannot read the key of endpoint '{name}': {error}") from error


def _target(outputs: StackOutputs, name: str) -> scoring.Target:
    endpoint = outputs.endpoints[name]
    return scoring.Target(f"{outputs.workspace_id}/onlineEndpoints/{name}", endpoint.scoring_uri, endpoint.auth_mode)
