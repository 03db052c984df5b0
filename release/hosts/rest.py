"""Requests to a host's REST API, which wait as long as the host says, and end in one error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline import Pipeline, PipelineResponse
from azure.core.pipeline.policies import RedirectPolicy, RetryPolicy, SensitiveHeaderCleanupPolicy
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from release.errors import ReleaseError, first_line

# How long all requests of a command wait together because of limits.
PATIENCE_SECONDS = 180.0
# GitHub: wait for at least a minute if a secondary limit does not say how long.
_UNKNOWN_SECONDS = 60.0
# Every change can be repeated: `keep_one` and `keep_open` look at the result.
_METHODS = frozenset(("GET", "POST", "PATCH", "DELETE"))
_LIMITED = (403, 429)


class HostError(ReleaseError):
    """The host refused a request, or cannot be reached."""

    def __init__(self, message: str, fix: str = "", status: int | None = None) -> None:
        """Take the problem, a fix, and the status of the answer if there was one."""
        super().__init__(message, fix)
        self.status = status


class ConflictError(HostError):
    """Another client changed the subject of the request first."""


class GoneError(HostError):
    """The subject of the request does not exist, or no longer exists."""


@dataclass(frozen=True)
class Answer:
    """The body of an answer, from JSON, and its headers."""

    body: Any
    headers: Mapping[str, str]


@contextmanager
def understood(title: str) -> Iterator[None]:
    """Let what cannot be found in an answer be an error of the host.

    Raises:
        HostError: An answer has another form than the host's API describes.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise HostError(
            f"{title} answers with something else than its API describes ({type(error).__name__}: {error})",
            fix="check that the address of its API is right, and that no proxy answers in its place",
        ) from error


# Turns the status and the message of a refusal into the error that the user sees.
Explain = Callable[[int, str], HostError]


class Api:
    """A host's REST API. The token is in a header, and never in a message."""

    def __init__(self, title: str, url: str, headers: Mapping[str, str], explain: Explain) -> None:
        """Send requests with some headers to the paths below `url`."""
        self.title = title
        self.url = url.rstrip("/")
        self._explain = explain
        self._headers = dict(headers)
        self._pipeline: Pipeline[HttpRequest, HttpResponse] = Pipeline(
            RequestsTransport(connection_timeout=10, read_timeout=60),
            [RedirectPolicy(), _Patience(PATIENCE_SECONDS), SensitiveHeaderCleanupPolicy()],
        )

    def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        content_type: str = "application/json",
        parameters: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to a path or to a URL below the API's.

        Raises:
            GoneError: The host answers 404 or 410.
            ConflictError: The host answers 409.
            HostError: The host refuses it in another way, or cannot be reached.
        """
        url = path if path.startswith(f"{self.url}/") else f"{self.url}{path}"
        if parameters:
            url = f"{url}?{urlencode(parameters)}"
        headers = self._headers if json is None else {**self._headers, "Content-Type": content_type}
        request = HttpRequest(method, url, headers=headers, json=json)
        try:
            response = self._pipeline.run(request, retry_on_methods=_METHODS).http_response
        except AzureError as error:
            raise HostError(
                f"{self.title} cannot be reached at {urlsplit(self.url).netloc}: {first_line(error)}"
            ) from error
        if response.status_code >= 300 or response.status_code == 203:
            raise self._error(response)
        try:
            return Answer(response.json() if response.text() else None, response.headers)
        except ValueError as error:  # a page for people
            raise self._explain(203, "the answer is not JSON") from error

    def _error(self, response: HttpResponse) -> HostError:
        message = _message(response)
        wait = _wait(response)
        if wait is not None:
            at = time.strftime("%H:%M", time.gmtime(time.time() + wait))
            return HostError(
                f"{self.title} accepts no more requests with this token for {wait:.0f} s: {message}",
                fix=f"run the command again after {at} UTC",
                status=response.status_code,
            )
        return self._explain(response.status_code, message)


class _Patience(RetryPolicy[HttpRequest, HttpResponse]):
    """Retries as long as the host says, and gives up if all waits together would take too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._left = seconds

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        wait = _wait(response.http_response)
        return super().is_retry(settings, response) if wait is None else wait <= self._left

    def sleep(
        self,
        settings: dict[str, Any],
        transport: HttpTransport[HttpRequest, HttpResponse],
        response: PipelineResponse[HttpRequest, HttpResponse] | None = None,
    ) -> None:
        wait = _wait(response.http_response) if response else None
        if wait is None:
            super().sleep(settings, transport, response)
            return
        self._left -= wait
        transport.sleep(wait)


def _wait(response: HttpResponse) -> float | None:
    """Return the seconds to wait for if the host limits requests, or None if it does not.

    GitHub answers 403 both to missing permissions and to its limits. Its page "Rate limits for the REST API" says how
    to tell them apart. Azure DevOps answers 429 with Retry-After.
    """
    if response.status_code not in _LIMITED:
        return None
    after = response.headers.get("Retry-After", "")
    if after.isdecimal():
        return float(after)
    if response.headers.get("X-RateLimit-Remaining") == "0":
        end = response.headers.get("X-RateLimit-Reset", "")
        return max(0.0, float(end) - time.time()) if end.isdecimal() else _UNKNOWN_SECONDS
    if response.status_code == 429 or "rate limit" in response.text().lower():
        return _UNKNOWN_SECONDS
    return None


def _message(response: HttpResponse) -> str:
    """Return the host's message on one line, with the details that GitHub adds to a failed validation."""
    try:
        body = response.json()
    except ValueError:
        return response.reason
    if not isinstance(body, dict):
        return response.reason
    errors = body.get("errors")
    listed = errors if isinstance(errors, list) else []
    details = [each.get("message") if isinstance(each, dict) else each for each in listed]
    return ": ".join(" ".join(str(each).split()) for each in (body.get("message"), *details) if each)
