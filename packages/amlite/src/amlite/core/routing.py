"""Route tables, and what a function that answers a request receives and returns.

A service declares `routes = Routes("management.azure.com")` and decorates functions. Hosts and paths match without
case, as Azure's do. `{name}` matches one segment and `{name:path}` any number. The order of routes does not matter; see
`router`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from amlite.core import bodies
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.resource_id import WITHOUT_CASE, ResourceId
from amlite.core.wire import Json

Handler = Callable[["Call"], Awaitable[web.StreamResponse]]
Refusal = tuple[int, str, str]
"""The status, code and message of an error."""

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_MOST_NUMBER = (1 << 31) - 1
# A body that takes no longer came with its head.
_PROMPT_SECONDS = 0.1
_SUBSCRIPTIONS = re.compile("/subscriptions/", WITHOUT_CASE)
AUTHENTICATED = ""
"""The `action` of a route that needs a token but no role: any caller that knows an operation's id may poll it."""

ARM_HOST = "management.azure.com"
ARM_AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})


@dataclass
class Call:
    """One request: its parts, the platform that answers it and, on routes that ask for a token, who sent it.

    `error` is the class of the errors of the service that answers. `admit` checks the caller again.
    """

    platform: Platform
    request: web.Request
    parameters: Mapping[str, str]
    principal: Principal | None = None
    error: bodies.ErrorOf = AzureError
    admit: Callable[[], None] = lambda: None

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def host(self) -> str:
        """The host name the client asked for; see `host_of`."""
        return host_of(self.request)

    @property
    def path(self) -> str:
        """The decoded path."""
        return self.request.path

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.request.query

    @property
    def bearer(self) -> str | None:
        """The token of the header `Authorization: Bearer …`, or None without one."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None

    @property
    def client(self) -> str:
        """The client id of the caller, for `systemData`."""
        return self.principal.client_id if self.principal else ""

    @property
    def resource_path(self) -> str | None:
        """The ARM path inside the path, which the data plane's paths have too; None without one."""
        found = _SUBSCRIPTIONS.search(self.path)
        return self.path[found.start() :] if found else None

    @property
    def resource_id(self) -> ResourceId:
        """The resource that this path names; AzureError 404 if it is not an ARM path."""
        found = ResourceId.parse(self.resource_path or self.path)
        if found is None:
            raise AzureError(404, "InvalidResourcePath", f"'{self.path}' is not a path of this API.")
        return found

    def number(self, name: str, default: int, least: int = 0, most: int = _MOST_NUMBER) -> int:
        """Return a query parameter that is a whole number; raises the service's error 400 for any other value."""
        text = self.query.get(name) or str(default)
        value = int(text) if _NUMBER.fullmatch(text) else most + 1
        if not least <= value <= most:
            told = f"The query parameter '{name}' must be a whole number from {least} to {most}, not '{text[:60]}'."
            raise self.error(400, "InvalidQueryParameterValue", told)
        return value

    async def read(self, most: int = bodies.MOST_BYTES) -> bytes:
        """Return the body; raises the service's error 413 if it is larger than `most` bytes.

        A client can send it slowly, and lose its roles meanwhile. Then it gets the AzureError of one without them.
        """
        began = time.monotonic()
        raw = await bodies.read(self.request, most, self.error)
        self._admit_again(began)
        return raw

    async def form(self) -> dict[str, str]:
        """Return the fields of a body that is an URL-encoded form; raises the errors of `read`, and 400."""
        began = time.monotonic()
        found = await bodies.form(self.request, self.error)
        self._admit_again(began)
        return found

    def _admit_again(self, began: float) -> None:
        if time.monotonic() - began > _PROMPT_SECONDS:
            self.admit()

    async def json(self, kinds: Mapping[str, str] | None = None, *, most: int = bodies.MOST_BYTES) -> Json:
        """Return the body as a JSON object ({} when empty); raises the service's error 400 for anything else.

        `kinds` are the types of some fields, as `published.fields` checks them.
        """
        raw = await self.read(most)
        try:
            body = bodies.parse_object(raw)
            return fields(body, kinds, self._refusal) if kinds else body
        except ValueError as error:
            raise self.error(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error

    def _refusal(self, told: str) -> AzureError:
        return self.error(400, "InvalidRequestContent", f"The request content was invalid. {told}")


def host_of(request: web.Request) -> str:
    """Return the host name that the client asked for: lower case, without the port and without a final dot."""
    return request.host.partition(":")[0].rstrip(".").lower()


def reply(body: Any = None, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Build an answer: JSON, or no content where `body` is None."""
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(
        text=json.dumps(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def refusal(error: AzureError) -> web.Response:
    """Build the answer that an error becomes."""
    text, kind = error.content()
    return web.Response(status=error.status, text=text, content_type=kind, headers=error.headers)


@dataclass(frozen=True)
class Route:
    """One entry of a route table."""

    table: Routes
    method: str
    path: str
    handler: Handler
    action: str | None


class Routes:
    """The routes of one host pattern, such as `management.azure.com` or `*.azurecr.io`.

    Tokens must be for one of `audiences`; with None, the service itself checks a request: `admit` raises its error for
    a caller that may send nothing, before its body is read, and again after one that came slowly. `only` narrows the
    table to some of the hosts. `error` is the class of the service's errors. `faults` maps kinds of faults to the
    service's own answers, where they differ from ARM's. `challenge` returns the headers of a 401 of the service.
    `spared` excludes the table from faults.
    """

    def __init__(
        self,
        host: str,
        *,
        audiences: frozenset[str] | None = ARM_AUDIENCES,
        admit: Callable[[Call], object] | None = None,
        only: Callable[[Platform, str], bool] | None = None,
        error: bodies.ErrorOf = AzureError,
        faults: Mapping[str, Refusal] | None = None,
        challenge: Callable[[Call], Mapping[str, str]] | None = None,
        spared: bool = False,
    ) -> None:
        self.host = host
        self.audiences = audiences
        self.admit = admit
        self.only = only
        self.error = error
        self.faults = faults or {}
        self.challenge = challenge
        self.spared = spared
        self.entries: list[Route] = []

    def route(self, method: str, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a function for a method, or for any (`*`). `action` names the permission asked on the ARM resource.

        Without it the permission follows from method and resource type (`…/read`, `…/write`, `…/delete`, `…/action`).
        """

        def register(handler: Handler) -> Handler:
            self.entries.append(Route(self, method, path, handler, action))
            return handler

        return register

    def get(self, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a GET."""
        return self.route("GET", path, action=action)

    def put(self, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a PUT."""
        return self.route("PUT", path, action=action)

    def patch(self, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a PATCH."""
        return self.route("PATCH", path, action=action)

    def post(self, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a POST."""
        return self.route("POST", path, action=action)

    def delete(self, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a DELETE."""
        return self.route("DELETE", path, action=action)
