"""Requests to Azure Resource Manager that fail in seconds. Other clients of this project retry for minutes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest

from pulumi_azureml.operations import chain, transport

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_MANAGEMENT = "https://management.azure.com"
SCOPE = f"{_MANAGEMENT}/.default"
_WAITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 20}
_RETRIES: dict[str, Any] = {"retry_total": 5, "retry_status": 5, "retry_backoff_max": 2}


class Arm:
    """Azure Resource Manager for one credential."""

    def __init__(self, signed_in: TokenCredential) -> None:
        """Send nothing yet."""
        self.skew: float | None = None
        """Seconds that this machine's clock is ahead of Azure's, as of the last answer. None before the first."""
        policies = chain(signed_in, SCOPE, **_RETRIES)
        self._client = PipelineClient[HttpRequest, Any](_MANAGEMENT, policies=policies, transport=transport())

    def get(self, path: str, api_version: str) -> dict[str, Any]:
        """Return the answer's JSON.

        Raises:
            azure.core.exceptions.HttpResponseError: Azure refuses. The message contains Azure's code and message.
            azure.core.exceptions.AzureError: Azure cannot be reached.
        """
        began = time.time()
        request = HttpRequest("GET", f"{_MANAGEMENT}{path}", params={"api-version": api_version})
        response = self._client.send_request(request, **_WAITS)
        self._compare_clocks(response.headers, (began + time.time()) / 2)
        if response.status_code >= 400:
            raise HttpResponseError(_refusal(response), response)
        body = response.json()
        return body if isinstance(body, dict) else {}

    def rows(self, path: str, api_version: str) -> list[dict[str, Any]]:
        """Return the first page of a list. It raises the same errors as `get`."""
        return list(self.get(path, api_version).get("value") or [])

    def _compare_clocks(self, headers: Mapping[str, str], now: float) -> None:
        if "Date" in headers:
            self.skew = now - parsedate_to_datetime(headers["Date"]).timestamp()


def reason(error: AzureError) -> str:
    """Return the first line of an error's message. The other lines repeat it or list the attempts."""
    return str(error.message).strip().partition("\n")[0]


def _refusal(response: Any) -> str:
    try:
        error = response.json()["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason}"
