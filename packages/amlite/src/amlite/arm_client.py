"""A client of ARM over HTTPS. It sends the same requests and polls operations in the same way as any Azure client."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import CustomHookPolicy, RequestIdPolicy, RetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling

ENDPOINT = "https://management.azure.com"
SCOPE = f"{ENDPOINT}/.default"
_PROVIDERS_VERSION = "2021-04-01"
_UNREGISTERED = "MissingSubscriptionRegistration"
_EXPIRED = "ExpiredAuthenticationToken"
_POLL_SECONDS = 1.0
"""Seconds between polls if ARM sends no Retry-After."""


class ArmError(Exception):
    """ARM, or the connection to it, failed. The message contains ARM's code and message."""


class OperationInterruptedError(Exception):
    """The engine stopped, or the resource's timeout expired, while an operation was running in ARM."""


class _Polling(ARMPolling):
    """azure-mgmt-core's polling, with pauses that end when the engine cancels or the deadline passes."""

    def __init__(self, cancelled: threading.Event, deadline: float | None) -> None:
        super().__init__(_POLL_SECONDS)
        self._cancelled = cancelled
        self._deadline = deadline

    def _sleep(self, delay: float) -> None:
        if self._deadline is not None and time.monotonic() + delay > self._deadline:
            raise OperationInterruptedError("the resource's timeout expired; the operation continues in Azure")
        if self._cancelled.wait(delay):
            raise OperationInterruptedError("cancelled; the operation continues in Azure")


class ArmClient:
    """ARM's REST interface for one credential. Paths are ARM ids (`/subscriptions/...`), bodies are JSON objects."""

    def __init__(self, credential: TokenCredential, cancelled: threading.Event, user_agent: str) -> None:
        self._cancelled = cancelled
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            ENDPOINT,
            policies=[
                RequestIdPolicy(),
                UserAgentPolicy(user_agent),
                RetryPolicy(retry_total=4),
                ARMChallengeAuthenticationPolicy(credential, SCOPE),
                CustomHookPolicy(raw_response_hook=_ask_again),
            ],
        )

    def get(self, path: str, api_version: str) -> dict[str, Any] | None:
        """Return the resource, or None if it does not exist. Raises `ArmError` for any other response."""
        try:
            response = self._client.send_request(self._request("GET", path, api_version))
            if response.status_code == 404:
                return None
            _raise_for_status(response)
        except AzureError as error:
            raise _arm_error(error) from error
        return _json_object(response.json())

    def read(self, path: str, api_version: str) -> dict[str, Any]:
        """Return the resource. Raises `ArmError` for any other response, also if it does not exist."""
        return self._run(self._request("GET", path, api_version), None) or {}

    def put(self, path: str, api_version: str, body: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """Create or update the resource, wait at most `seconds` for its operation, and return the resource."""
        try:
            return self._run(self._request("PUT", path, api_version, body), seconds) or {}
        except ArmError as error:
            if not str(error).startswith(f"{_UNREGISTERED}:"):
                raise
            self._register(path)
            return self._run(self._request("PUT", path, api_version, body), seconds) or {}

    def delete(
        self, path: str, api_version: str, seconds: float | None, query: Mapping[str, str] | None = None
    ) -> None:
        """Delete the resource and wait at most `seconds`. A resource that does not exist is not an error."""
        self._run(self._request("DELETE", path, api_version, query=query), seconds)

    def post(self, path: str, api_version: str) -> dict[str, Any]:
        """Call an action of the resource (listKeys and the like)."""
        return self._run(self._request("POST", path, api_version), None) or {}

    def _register(self, path: str) -> None:
        """Register the subscription for a resource's provider, as Azure's Go clients do automatically.

        Source: azcore's `policy_register_rp.go`, which is in the pipeline of every client of azure-native.
        """
        _, _, subscription, *_ = path.split("/")
        namespace = path.rpartition("/providers/")[2].partition("/")[0]
        provider = f"/subscriptions/{subscription}/providers/{namespace}"
        state = self.post(f"{provider}/register", _PROVIDERS_VERSION)
        while state.get("registrationState") != "Registered":
            if self._cancelled.wait(_POLL_SECONDS):
                raise OperationInterruptedError("cancelled; the registration goes on in Azure")
            state = self.get(provider, _PROVIDERS_VERSION) or {}

    def _request(
        self,
        method: str,
        path: str,
        api_version: str,
        body: dict[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> HttpRequest:
        params = {"api-version": api_version, **(query or {})}
        return HttpRequest(method, f"{ENDPOINT}{path}", params=params, json=body)

    def _run(self, request: HttpRequest, seconds: float | None) -> dict[str, Any] | None:
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            pipeline_response = self._client.send_request(request, _return_pipeline_response=True)
            response = pipeline_response.http_response
            if request.method == "DELETE" and response.status_code == 404:
                return None
            _raise_for_status(response)
            polling = _Polling(self._cancelled, deadline)
            polling.initialize(self._client, pipeline_response, lambda answer: _body(answer.http_response))
            polling.run()
            result: dict[str, Any] | None = polling.resource()
            return result
        except AzureError as error:
            raise _arm_error(error) from error


def _ask_again(answer: Any) -> None:
    """Let the retry policy repeat a request whose token has expired. The authentication policy has dropped the token.

    azcore does not do this. It renews a token minutes before its end.
    """
    response = answer.http_response
    if response.status_code == 401 and _EXPIRED in _text(response):
        response.headers["Retry-After"] = "0.5"


def _text(response: Any) -> str:
    if hasattr(response, "read"):
        response.read()
    return str(response.text())


def _raise_for_status(response: Any) -> None:
    if response.status_code >= 400:
        raise HttpResponseError(response=response, error_format=ARMErrorFormat)


def _body(response: Any) -> dict[str, Any] | None:
    return _json_object(response.json()) if response.text() else None


def _json_object(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ArmError(f"ARM answered with a {type(content).__name__} where an object is expected")
    return content


def _arm_error(error: AzureError) -> ArmError:
    odata = error.error if isinstance(error, HttpResponseError) else None
    if odata is None or not odata.code:
        return ArmError(str(error.message))
    lines = [f"{odata.code}: {odata.message}"]
    lines += [f"{detail.code}: {detail.message}" for detail in odata.details or () if detail.code != odata.code]
    return ArmError("\n".join(lines))
