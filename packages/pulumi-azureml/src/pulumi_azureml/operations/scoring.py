"""Send a request to an endpoint as its callers do: HTTPS with the endpoint's key or a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.arm import send
from pulumi_azureml.operations.connection import credential

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_API_VERSION = "2024-10-01"
_AUDIENCE = "https://ml.azure.com/.default"
# A POST is retried on 500, 503 and 504 only. A few retries are enough, because a broken model stays broken.
_RETRIES = 3


@dataclass(frozen=True)
class ScoringTarget:
    """An online endpoint: its ARM resource id, scoring URI and `auth_mode` (`key`, `aml_token` or `aad_token`)."""

    id: str
    scoring_uri: str
    auth_mode: str

    @classmethod
    def of(cls, ml: MLClient, endpoint: str) -> ScoringTarget:
        """Find an endpoint.

        Raises:
            azure.core.exceptions.AzureError: the endpoint does not exist, or the caller may not read it.
        """
        found = ml.online_endpoints.get(endpoint)
        return cls(str(found.id), str(found.scoring_uri), str(found.auth_mode).lower())


def score(target: ScoringTarget, request: Any, deployment: str | None = None, *, seconds: float | None = None) -> Any:
    """Return the parsed response to a JSON request, from one deployment or as the traffic is split.

    With `seconds`, the response must arrive within this time, retries included.

    azure-ai-ml's `invoke` is not used: it stores the deployment's name in a dictionary that all calls of the process
    share, so two concurrent rollouts would test each other's deployments.

    Raises:
        azure.core.exceptions.AzureError: the endpoint refuses the request or fails. The message contains its response.
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
        limits = ("timeout", "connection_timeout", "read_timeout") if seconds is not None else ()
        limit: dict[str, Any] = dict.fromkeys(limits, seconds)
        response = client.send_request(HttpRequest("POST", target.scoring_uri, headers=headers, json=request), **limit)
        if response.status_code >= 400:
            raise HttpResponseError(f"{response.status_code} {response.reason}: {response.text()[:2000]}", response)
        try:
            return response.json()
        except ValueError as error:
            raise HttpResponseError(f"the answer is not JSON: {response.text()[:200]}", response) from error


def access_key(target: ScoringTarget) -> str:
    """Return an endpoint's primary key, or a token if it has no keys.

    Raises:
        azure.core.exceptions.AzureError: the signed-in identity may not read it.
    """
    if target.auth_mode == "aad_token":
        return credential().get_token(_AUDIENCE).token
    action, field = ("listKeys", "primaryKey") if target.auth_mode == "key" else ("token", "accessToken")
    return str(send("POST", f"{target.id}/{action}", _API_VERSION)[field])
