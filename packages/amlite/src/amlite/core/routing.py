"""How a request finds the function that answers it, and what that function gets and gives.

A part of amlite declares `routes = Routes("management.azure.com")` and decorates functions; hosts and paths match
without case, as Azure's do; `{name}` matches one segment and `{name:path}` any number.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from amlite.core.errors import AzureError

if TYPE_CHECKING:
    from amlite.core.access import Principal
    from amlite.core.platform import Platform

Json = dict[str, Any]
Handler = Callable[["Call"], Awaitable[web.StreamResponse]]

AUTHENTICATED = ""
"""The `action` of a route that asks for a token and no role: whoever knows an operation's id may ask how it fares."""

ARM_AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})


@dataclass
class Call:
    """One request: its parts, the platform that answers it and, on routes that ask for a token, who sent it."""

    platform: Platform
    request: web.Request
    parameters: Mapping[str, str]
    principal: Principal | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def host(self) -> str:
        """The host name the client asked for, without port, lower case."""
        return self.request.host.partition(":")[0].lower()

    @property
    def path(self) -> str:
        """The decoded path."""
        return self.request.path

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.request.query

    async def json(self) -> Json:
        """Return the body as a JSON object ({} when empty); raises AzureError 400 for anything else."""
        raw = await self.request.read()
        if not raw:
            return {}
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise AzureError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error
        if not isinstance(body, dict):
            raise AzureError(400, "InvalidRequestContent", "The request content must be a JSON object.")
        return body


def reply(body: Any = None, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Build an answer: JSON, or no content where `body` is None."""
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.Response(
        text=json.dumps(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


@dataclass(frozen=True)
class Route:
    """One entry of a route table."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    audiences: frozenset[str] | None
    action: str | None

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """Return the path's parameters when method and path fit."""
        if self.method not in ("*", method):
            return None
        found = self.pattern.fullmatch(path)
        return found.groupdict() if found else None


class Routes:
    """The routes of one host pattern, in the order they are tried."""

    def __init__(self, host: str, *, audiences: frozenset[str] | None = ARM_AUDIENCES) -> None:
        """Routes of `host` (may hold `*`). Tokens must be for one of `audiences`; None asks for no token at all."""
        self.host = host
        self._host = re.compile(fnmatch.translate(host), re.IGNORECASE)
        self._audiences = audiences
        self._routes: list[Route] = []

    def route(self, method: str, path: str, *, action: str | None = None) -> Callable[[Handler], Handler]:
        """Register a function. `action` names the permission asked on the ARM resource inside the path.

        Without it the permission follows from method and resource type (`…/read`, `…/write`, `…/delete`, `…/action`).
        """
        pattern = re.compile(_pattern(path), re.IGNORECASE)

        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, pattern, handler, self._audiences, action))
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

    def serves(self, host: str) -> bool:
        """Whether this table answers for a host name."""
        return self._host.fullmatch(host) is not None

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Return the first route that fits, with its parameters."""
        for route in self._routes:
            parameters = route.match(method, path)
            if parameters is not None:
                return route, parameters
        return None


def _pattern(path: str) -> str:
    parts = re.split(r"(\{\w+(?::path)?\})", path)
    out = []
    for part in parts:
        if part.startswith("{"):
            name, _, kind = part[1:-1].partition(":")
            out.append(f"(?P<{name}>{'.*' if kind == 'path' else '[^/]+'})")
        else:
            out.append(re.escape(part))
    return "".join(out) + "/?"
