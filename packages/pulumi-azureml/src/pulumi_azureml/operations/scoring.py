"""Send a request to an endpoint as its callers do: plain HTTPS and the endpoint's own key or token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.arm import send
from pulumi_azureml.operations.connection import credential

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_API_VERSION = "2024-10-01"
_AUDIENCE = "https://ml.azure.com/.default"
# A POST is repeated on 500, 503 and 504 only; a model that cannot answer is not asked for minutes.
_RETRIES = 3


@dataclass(frozen=True)
class ScoringTarget:
    """An online endpoint: its ARM resource id, where it answers, and `key`, `aml_token` or `aad_token`."""

    id: str
    scoring_uri: str
    auth_mode: str

    @classmethod
    def of(cls, ml: MLClient, endpoint: str) -> ScoringTarget:
        """Look an endpoint up.

        Raises:
            azure.core.exceptions.AzureError: it is missing, or the caller may not read it.
        """
        found = ml.online_endpoints.get(endpoint)
        return cls(str(found.id), str(found.scoring_uri), str(found.auth_mode).lower())


def score(target: ScoringTarget, request: Any, deployment: str | None = None) -> Any:
    """Return the parsed answer to a JSON request, from one deployment or from whichever the traffic chooses.

    azure-ai-ml's own `invoke` keeps the deployment's name in a dictionary that all calls of the process share, so two
    rollouts at a time would test each other's deployments.

    Raises:
        azure.core.exceptions.AzureError: the endpoint refuses or fails; its answer is in the message.
    """
    from azure.core import PipelineClient
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.rest import HttpRequest

    headers = {"Authorization": f"Bearer {access_key(target)}"}
    if deployment is not None:
        headers["azureml-model-deployment"] = deployment
    client: PipelineClient[Any, Any] = PipelineClient(target.scoring_uri, policies=[RetryPolicy(retry_total=_RETRIES)])
    with client:
        response = client.send_request(HttpRequest("POST", target.scoring_uri, headers=headers, json=request))
        if response.status_code >= 400:
            raise HttpResponseError(f"{response.status_code} {response.reason}: {response.text()[:2000]}", response)
        try:
            return response.json()
        except ValueError as error:
            raise HttpResponseError(f"the answer is not JSON: {response.text()[:200]}", response) from error


def access_key(target: ScoringTarget) -> str:
    """Return an endpoint's primary key, or a token where it has no keys.

    Raises:
        azure.core.exceptions.AzureError: the signed-in identity may not have it.
    """
    if target.auth_mode == "aad_token":
        return credential().get_token(_AUDIENCE).token
    action, field = ("listKeys", "primaryKey") if target.auth_mode == "key" else ("token", "accessToken")
    return str(send("POST", f"{target.id}/{action}", _API_VERSION)[field])
