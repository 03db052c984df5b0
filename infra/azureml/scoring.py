"""Send a request to an endpoint as its callers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def score(ml: MLClient, endpoint: str, request: Any, deployment: str | None = None) -> Any:
    """Return the parsed answer to a JSON request, from one deployment or from whichever the traffic chooses.

    azure-ai-ml's own `invoke` keeps the deployment's name in a dictionary that all calls of the process share, so two
    rollouts at a time would test each other's deployments.

    Raises:
        azure.core.exceptions.AzureError: the endpoint is missing, refuses or fails; its answer is in the message.
    """
    from azure.core import PipelineClient
    from azure.core.exceptions import HttpResponseError
    from azure.core.rest import HttpRequest

    uri = ml.online_endpoints.get(endpoint).scoring_uri
    headers = {"Authorization": f"Bearer {access_key(ml, endpoint)}"}
    if deployment is not None:
        headers["azureml-model-deployment"] = deployment
    client: PipelineClient[Any, Any] = PipelineClient(base_url=uri)
    with client:
        response = client.send_request(HttpRequest("POST", uri, headers=headers, json=request))
        if response.status_code >= 400:
            raise HttpResponseError(f"{response.status_code} {response.reason}: {response.text()}", response)
        try:
            return response.json()
        except ValueError as error:
            raise HttpResponseError(f"the answer is not JSON: {response.text()[:200]}", response) from error


def access_key(ml: MLClient, endpoint: str) -> str:
    """Return an endpoint's primary key, or a token where it has no keys."""
    keys = ml.online_endpoints.get_keys(endpoint)
    return str(getattr(keys, "primary_key", None) or keys.access_token)
