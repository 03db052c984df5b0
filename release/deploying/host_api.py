"""Reads from the API of the CI host that runs this job, with the job's own token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

API_VERSION = "7.1"
GITHUB_JSON = "application/vnd.github+json"
_SECONDS = 30.0
_RETRIES = 3


def github_repository(environment: Mapping[str, str]) -> str:
    """Return the URL of the job's repository in GitHub's API."""
    return f"{environment.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{environment['GITHUB_REPOSITORY']}"


def project(environment: Mapping[str, str]) -> str:
    """Return the URL of the job's project in the API of Azure DevOps."""
    return f"{environment['SYSTEM_COLLECTIONURI'].rstrip('/')}/{environment['SYSTEM_TEAMPROJECTID']}"


def get(url: str, token: str, accept: str = "application/json") -> Any:
    """Return the answer to a request.

    Raises:
        AzureError: The host does not answer, refuses the token, or answers with something else than JSON.
    """
    from azure.core import PipelineClient
    from azure.core.exceptions import DecodeError, HttpResponseError
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    client: PipelineClient[Any, Any] = PipelineClient(url, policies=[RetryPolicy(retry_total=_RETRIES)])
    with client:
        response = client.send_request(HttpRequest("GET", url, headers=headers), timeout=_SECONDS)
        if response.status_code >= 300:
            # Azure DevOps answers a rejected token with a redirect to its sign-in page.
            raise HttpResponseError(response=response)
        try:
            return response.json()
        except ValueError as error:  # a page for people
            raise DecodeError("the answer is not JSON", response=response, error=error) from error
