"""Check a request as ARM does: its token, the subscription, and the caller's roles."""

from __future__ import annotations

import re
from collections.abc import Callable

from amlite import SUBSCRIPTION_ID, SYSTEM_SUBSCRIPTION_ID, TENANT_ID
from amlite.core.access import Access, Principal, is_below
from amlite.core.errors import AzureError
from amlite.core.resource_id import ResourceId
from amlite.core.routing import AUTHENTICATED, Call, Route

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


class Gate:
    """Admits requests. `check` returns the principal of a token for one of some audiences, or raises AzureError."""

    def __init__(self, access: Access, check: Callable[[str, frozenset[str]], Principal]) -> None:
        self._access = access
        self._check = check

    def admit(self, call: Call, route: Route) -> None:
        """Set the principal of an admissible call; raises AzureError 401, 403 or 404 for any other."""
        if route.table.audiences is None:
            if route.table.admit is not None:
                route.table.admit(call)
            return
        if call.bearer is None:
            raise AzureError(
                401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.",
                headers={"WWW-Authenticate": f'Bearer authorization_uri="https://login.microsoftonline.com/{TENANT_ID}"'},
            )  # fmt: skip
        call.principal = self._check(call.bearer, route.table.audiences)
        path = call.resource_path
        _check_scope(call.principal, path or "")
        if path is not None:
            _check_subscription(path)
        if route.action == AUTHENTICATED:
            return
        if path is not None:
            self._access.require(call.principal, path, route.action or _action(call.method, path))
        elif route.action is not None:
            self._access.require(call.principal, f"/subscriptions/{SUBSCRIPTION_ID}", route.action)


def _check_scope(principal: Principal, path: str) -> None:
    """Raise 403 for a token that is valid below another resource only."""
    if principal.scope and not is_below(path, principal.scope):
        raise AzureError(403, "AuthorizationFailed", f"The access token is valid for '{principal.scope}' only.")


def _check_subscription(path: str) -> None:
    """Raise Azure's 404 for any subscription except amlite's own and that of the system registries."""
    found = re.match(r"/subscriptions/([^/]+)", path, re.IGNORECASE)
    if found and found[1].lower() not in (SUBSCRIPTION_ID, SYSTEM_SUBSCRIPTION_ID):
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{found[1]}' could not be found.")


def _action(method: str, path: str) -> str:
    id = ResourceId.parse(path)
    if id is None:
        return "Microsoft.Resources/subscriptions/read"
    if method == "POST" and id.is_collection and len(id.segments) > 1:
        owner = "/".join([id.namespace or "", *id.segments[:-1:2]])
        return f"{owner}/{id.segments[-1]}/action"
    return f"{id.type}/{_VERBS.get(method, 'write')}"
