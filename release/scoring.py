"""Send a request to an endpoint the way its callers do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def score(ml: MLClient, endpoint: str, request: Path) -> Any:
    """Score a JSON file and return the parsed answer.

    Raises:
        ReleaseError: the file is missing, or the endpoint refuses or fails.
    """
    from azure.core.exceptions import AzureError

    from infra.azureml import scoring

    if not request.is_file():
        raise ReleaseError(f"there is no request file {request}")
    try:
        return scoring.score(ml, endpoint, json.loads(request.read_text("utf-8")))
    except ValueError as error:
        raise ReleaseError(f"{request} is not JSON: {error}") from error
    except AzureError as error:
        raise ReleaseError(f"endpoint '{endpoint}' did not score {request.name}: {error}") from error


def key(ml: MLClient, endpoint: str) -> str:
    """Return an endpoint's primary key, or a token where it has no keys."""
    from infra.azureml.scoring import access_key

    return access_key(ml, endpoint)
