"""The Web activity: a request with the factory's identity, which waits for the result of a longer operation."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from amlite.core import outgoing
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.datafactory.definition import span
from amlite.services.managedidentity import system_assigned

_POLL_SECONDS = 10.0
_LONGEST_PAUSE = 3600.0
_ENDPOINT_FAILED = "2108"
# The largest answer. Source: "Web activity in Azure Data Factory".
_MOST_BYTES = 4 << 20


class ActivityError(Exception):
    """An activity that failed, with Data Factory's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def request(platform: Platform, factory: Json, given: Json) -> Json:
    """Send a Web activity's request, whose properties are evaluated, and return its output. Raises ActivityError."""
    headers = {str(name): str(value) for name, value in (given.get("headers") or {}).items()}
    if authentication := given.get("authentication"):
        headers["Authorization"] = f"Bearer {token(platform, factory, str(authentication['resource']))}"
    body = given.get("body")
    if body is not None and not isinstance(body, str):
        headers.setdefault("Content-Type", "application/json")
        body = json.dumps(body)
    seconds = span(given.get("httpRequestTimeout", "00:01:00"))
    url, method = str(given["url"]), str(given["method"]).upper()
    answer = await send(platform, method, url, headers=headers, body=body, seconds=seconds)
    while answer.status == 202 and not given.get("turnOffAsync") and (place := _location(answer)):
        await platform.clock.sleep(_pause(answer))
        sign_in = {name: value for name, value in headers.items() if name == "Authorization"}
        answer = await send(platform, "GET", place, headers=sign_in, body=None, seconds=seconds)
    if not answer.ok:
        raise ActivityError(
            _ENDPOINT_FAILED,
            f"Invoking Web Activity failed with HttpStatusCode - '{_named(answer.status)}', message - "
            f"'{_message(answer.text)}'",
        )
    return {**_content(answer.text), "ADFWebActivityResponseHeaders": dict(answer.headers)}


async def send(
    platform: Platform, method: str, url: str, *, headers: dict[str, str], body: str | None, seconds: float = 60.0
) -> outgoing.Answer:
    """Send one request. Raises ActivityError if there is no answer."""
    try:
        return await outgoing.send(platform, method, url, headers=headers, body=body, seconds=seconds, most=_MOST_BYTES)
    except outgoing.UnreachableError as error:
        raise ActivityError(
            _ENDPOINT_FAILED,
            f"Error calling the endpoint '{url.partition('?')[0]}'. Response status code: 'NA - Unknown'. More "
            f"details: {error}",
        ) from error


def token(platform: Platform, factory: Json, resource: str) -> str:
    """Return a token of the factory's identity. Raises ActivityError."""
    try:
        return system_assigned.token(platform, factory, resource)
    except AzureError as error:
        raise ActivityError(_ENDPOINT_FAILED, error.message) from error


def _named(status: int) -> str:
    """Return a status with its phrase, which some servers' own ones, such as 499, do not have."""
    known = next((each.phrase for each in HTTPStatus if each == status), "")
    return f"{status} : {known}" if known else str(status)


def _pause(answer: outgoing.Answer) -> float:
    """Return the seconds until the next poll. A date, which HTTP permits too, gets the usual ones."""
    given = answer.headers.get("Retry-After", "")
    return min(float(given), _LONGEST_PAUSE) if given.isascii() and given.isdigit() else _POLL_SECONDS


def _location(answer: outgoing.Answer) -> str | None:
    return next((value for name, value in answer.headers.items() if name.lower() == "location"), None)


def _content(text: str) -> Json:
    if not text:
        return {"Response": ""}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ActivityError(_ENDPOINT_FAILED, "Response Content is not a valid JObject.")
    return content


def _message(text: str) -> str:
    try:
        content: Any = json.loads(text)
        return str(content["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
