"""Sends requests to an endpoint that is in the stack's outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.outputs import StackOutputs
from pulumi_azureml import operations
from release.errors import ReleaseError


def score(outputs: StackOutputs, name: str, request: Path, *, seconds: float | None = None) -> Any:
    """Score a JSON file and return the parsed response.

    Args:
        outputs: Outputs of the stack.
        name: Name of the endpoint in the YAML.
        request: The file.
        seconds: Time until the response must be there. Default: the client's own limits.

    Raises:
        ReleaseError: The file is missing or is not JSON, or the endpoint returns an error or no response. The message
            contains the endpoint's response.
    """
    from azure.core.exceptions import AzureError, ServiceRequestTimeoutError, ServiceResponseTimeoutError

    try:  # it may be a pipe of the shell, such as <(echo '{}')
        content = json.loads(request.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise ReleaseError(f"request file {request} does not exist") from error
    except OSError as error:
        raise ReleaseError(f"request file {request} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ReleaseError(f"request file {request} is not valid JSON: {error}") from error
    try:
        return operations.score(_target(outputs, name), content, seconds=seconds)
    except (ServiceRequestTimeoutError, ServiceResponseTimeoutError) as error:
        limit = f" within {seconds:g} s" if seconds is not None else ""
        raise ReleaseError(f"endpoint '{name}' did not answer {request.name}{limit}") from error
    except AzureError as error:
        raise ReleaseError(f"endpoint '{name}' cannot score {request}: {error.message}") from error


def key(outputs: StackOutputs, name: str) -> str:
    """Return an endpoint's primary key, or a token if it does not use keys.

    Raises:
        ReleaseError: The signed-in identity may not read it.
    """
    from azure.core.exceptions import AzureError

    try:
        return operations.access_key(_target(outputs, name))
    except AzureError as error:
        raise ReleaseError(f"cannot read the key of endpoint '{name}': {error.message}") from error


def _target(outputs: StackOutputs, name: str) -> operations.ScoringTarget:
    """Ask Azure for the address and the mode of an endpoint: whoever may write the state could name others there."""
    return operations.ScoringTarget.at(f"{outputs.workspace_id}/onlineEndpoints/{outputs.endpoints[name].name}")
