"""Send a request to an endpoint as its callers do: HTTPS with the endpoint's key or a token."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.arm import send
from pulumi_azureml.operations.connection import credential, say_when_to_ask_again, transport

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import AccessToken

_API_VERSION = "2024-10-01"
_AUDIENCE = "https://ml.azure.com/.default"
# A prediction changes nothing, so azure-core may repeat it, for a minute in all: a smoke test that fails ends a
# rollout. Azure answers for a broken model with a 424, which stays.
_RETRIES: dict[str, Any] = {
    **dict.fromkeys(("retry_total", "retry_status", "retry_read"), 8),
    "retry_backoff_max": 10,
    "retry_on_methods": ["POST"],
}
# Azure's own limit for an answer is three minutes.
_ANSWER_SECONDS = 300
_TOKEN_SECONDS = 3600
# The modes as Azure Resource Manager names them.
_MODES = {"key": "key", "amltoken": "aml_token", "aadtoken": "aad_token"}


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

    @classmethod
    def at(cls, resource_id: str) -> ScoringTarget:
        """Find an endpoint by its ARM resource id, without azure-ai-ml. Raises as `of`."""
        found = send("GET", resource_id, _API_VERSION)["properties"]
        return cls(resource_id, str(found["scoringUri"]), _MODES[str(found["authMode"]).lower()])


def score(target: ScoringTarget, request: Any, deployment: str | None = None, *, seconds: float | None = None) -> Any:
    """Return the parsed response to a JSON request, from one deployment or as the traffic is split.

    With `seconds`, the response must arrive within this time, retries included.

    azure-ai-ml's `invoke` is not used: it stores the deployment's name in a dictionary that all calls of the process
    share, so two concurrent rollouts would test each other's deployments.

    Raises:
        azure.core.exceptions.AzureError: the endpoint refuses the request or fails. The message contains its response.
    """
    from pulumi_azureml.operations.sdk import HttpRequest, HttpResponseError, PipelineClient, policies

    pipeline = [
        policies.RetryPolicy(),
        policies.BearerTokenCredentialPolicy(_Access(target), target.scoring_uri),
        policies.CustomHookPolicy(raw_response_hook=say_when_to_ask_again),
    ]
    client: PipelineClient[Any, Any] = PipelineClient(target.scoring_uri, policies=pipeline, transport=transport())
    limits = ("timeout", "connection_timeout", "read_timeout")
    limit: dict[str, Any] = {"read_timeout": _ANSWER_SECONDS} if seconds is None else dict.fromkeys(limits, seconds)
    headers = {} if deployment is None else {"azureml-model-deployment": deployment}
    question = HttpRequest("POST", target.scoring_uri, headers=headers, json=request)
    # A Kubernetes endpoint can have a scoring URI with http.
    response = client.send_request(question, enforce_https=False, **_RETRIES, **limit)
    if response.status_code >= 400:
        raise HttpResponseError(f"{response.status_code} {response.reason}: {response.text()[:2000]}", response)
    try:
        return response.json()
    except ValueError as error:
        raise HttpResponseError(f"the answer is not JSON: {response.text()[:200]}", response) from error


@dataclass(frozen=True)
class _Access:
    """An endpoint's key or token in the form of a credential, so that azure-core gets another one after a 401."""

    target: ScoringTarget

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        from pulumi_azureml.operations.sdk import AccessToken

        return AccessToken(access_key(self.target), int(time.time()) + _TOKEN_SECONDS)


def access_key(target: ScoringTarget) -> str:
    """Return an endpoint's primary key, or a token if it has no keys.

    Raises:
        azure.core.exceptions.AzureError: the signed-in identity may not read it.
    """
    if target.auth_mode == "aad_token":
        return credential().get_token(_AUDIENCE).token
    action, field = ("listKeys", "primaryKey") if target.auth_mode == "key" else ("token", "accessToken")
    return str(send("POST", f"{target.id}/{action}", _API_VERSION)[field])
