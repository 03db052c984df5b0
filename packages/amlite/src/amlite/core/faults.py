"""Fault injection: the occasional failures of a cloud, for selected requests.

Faults are in memory only, so a restart of amlite removes them.
"""

from __future__ import annotations

import fnmatch
import itertools
import random
from dataclasses import asdict, dataclass

import jwt
from aiohttp import web

from amlite.core import access, operations
from amlite.core.errors import AzureError
from amlite.core.fault_kinds import FaultKind
from amlite.core.routing import Call, Refusal, Route
from amlite.core.wire import Json

_REFUSALS: dict[FaultKind, Refusal] = {
    FaultKind.THROTTLE: (429, "TooManyRequests", "The request was throttled"),
    FaultKind.ERROR: (500, "InternalServerError", "The service stumbled"),
    # Like the real response, this one has no header with the time to wait.
    FaultKind.CONFLICT: (
        409,
        "AnotherOperationInProgress",
        "Another operation is in progress on '{path}'. Try again after '1' seconds",
    ),
    FaultKind.EXPIRED: (401, "ExpiredAuthenticationToken", "The access token has expired"),
    FaultKind.EVENTUAL: (404, "ResourceNotFound", "The Resource '{path}' was not found"),
}
_HEADERS = {FaultKind.THROTTLE: {"Retry-After": "1"}, FaultKind.EXPIRED: {"WWW-Authenticate": "Bearer"}}
# Of an access token of Entra ID.
_LONGEST_LIFETIME_SECONDS = 24 * 3600
# The server errors that `error` can be, and their codes.
_SERVER_ERRORS = {
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}
_SECONDS = {FaultKind.TIMEOUT: 300.0, FaultKind.SLOW: 2.0, FaultKind.LRO_SLOW: 7200.0, FaultKind.ROLE_DELAY: 600.0}


@dataclass
class Fault:
    """A rule: requests that match `match` (a method, and a pattern of host and path, with `*`) get the fault `kind`.

    The rule lets the first `after` matching requests pass and then affects `times` requests. With a `rate` between 0
    and 1, it affects that share of the requests until it is cleared; the same `seed` selects the same ones. `seconds`
    is the duration of `timeout`, `slow`, `lro-slow` and `role-delay`. `status` is that of `error`. `met` counts the
    affected requests, `passed` those that it let pass.
    """

    id: int
    match: str
    kind: FaultKind
    times: int | None
    rate: float | None
    seconds: float
    after: int = 0
    status: int | None = None
    seed: int | None = None
    met: int = 0
    passed: int = 0

    def concerns(self, method: str, address: str, *, expires: bool = True) -> bool:
        """Whether the rule matches a request and is not used up. `expires`: it has a token that can expire."""
        wanted, _, pattern = self.match.partition(" ")
        if self.kind is FaultKind.EVENTUAL and method not in ("GET", "HEAD"):
            return False
        if self.kind is FaultKind.EXPIRED and not expires:
            return False
        return (
            (self.times is None or self.met < self.times)
            and fnmatch.fnmatchcase(method, wanted.upper())
            and fnmatch.fnmatchcase(address.lower(), pattern.strip().lower())
        )


class Faults:
    """The faults of one platform, oldest first. The first rule that matches a request applies."""

    def __init__(self) -> None:
        """Start without faults."""
        self._ids = itertools.count(1)
        self._rules: list[Fault] = []
        self._chances: dict[int, random.Random] = {}

    def add(self, wanted: Json) -> Fault:
        """Add a rule from its JSON form. `times` defaults to 1 without a `rate`. AzureError 400 for an invalid rule."""
        match, kind, times, rate = (wanted.get(name) for name in ("match", "kind", "times", "rate"))
        if not isinstance(match, str) or len(match.split()) != 2:
            raise _refusal(f"'match' must be a method and a pattern, such as 'PUT */onlineEndpoints/*', not {match!r}")
        if kind not in list(FaultKind):
            raise _refusal(f"'kind' must be one of {', '.join(FaultKind)}, not {kind!r}")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise _refusal(f"'times' must be a whole number from 1, not {times!r}")
        if rate is not None and (not isinstance(rate, int | float) or not 0 < rate <= 1):
            raise _refusal(f"'rate' must be above 0 and at most 1, not {rate!r}")
        after = wanted.get("after") or 0
        if not isinstance(after, int) or after < 0:
            raise _refusal(f"'after' must be a whole number from 0, not {after!r}")
        seconds = wanted.get("seconds")
        if seconds is None:
            seconds = _SECONDS.get(FaultKind(kind), 0.0)
        if not isinstance(seconds, int | float) or seconds < 0:
            raise _refusal(f"'seconds' must be a number that is not negative, not {seconds!r}")
        status, seed = wanted.get("status"), wanted.get("seed")
        if status is not None and (kind != FaultKind.ERROR or status not in _SERVER_ERRORS):
            raise _refusal(
                f"'status' must be one of {', '.join(map(str, _SERVER_ERRORS))}, and is for the kind `error`"
            )
        if seed is not None and not isinstance(seed, int):
            raise _refusal(f"'seed' must be a whole number, not {seed!r}")
        if times is None and rate is None:
            times = 1
        rule = Fault(next(self._ids), match, FaultKind(kind), times, rate, float(seconds), after, status, seed)
        self._rules.append(rule)
        self._chances[rule.id] = random.Random(seed)  # noqa: S311 - no secret
        return rule

    def list(self) -> list[Json]:
        """Return every rule in its JSON form, including rules that are used up."""
        return [asdict(rule) for rule in self._rules]

    def clear(self) -> int:
        """Remove every rule and return their number."""
        count = len(self._rules)
        self._rules.clear()
        self._chances.clear()
        return count

    async def serve(self, call: Call, route: Route) -> web.StreamResponse:
        """Answer a request with its route's handler, and apply the first fault that matches."""
        handler = route.handler
        fault = self._pick(call) if self._rules and not route.table.spared else None
        if fault is None:
            return await handler(call)
        match fault.kind:
            case FaultKind.THROTTLE | FaultKind.ERROR | FaultKind.CONFLICT | FaultKind.EXPIRED | FaultKind.EVENTUAL:
                raise _refused(fault, call, route)
            case FaultKind.RESET:
                raise _drop(call)
            case FaultKind.TIMEOUT:
                await call.platform.clock.sleep(fault.seconds)
                raise _drop(call)
            case FaultKind.SLOW:
                await call.platform.clock.sleep(fault.seconds)
                return await handler(call)
            case FaultKind.LOST_RESPONSE:
                await handler(call)
                raise _drop(call)
            case FaultKind.LRO_FAIL:
                with operations.failing("OperationFailed", "The operation failed (a fault)."):
                    return await handler(call)
            case FaultKind.LRO_SLOW:
                with operations.delayed(fault.seconds):
                    return await handler(call)
            case FaultKind.ROLE_DELAY:
                with access.delayed(fault.seconds):
                    return await handler(call)

    def _pick(self, call: Call) -> Fault | None:
        address, expires = f"{call.host}{call.path}", _expires(call.bearer)
        for rule in self._rules:
            if not rule.concerns(call.method, address, expires=expires):
                continue
            if rule.rate is not None and self._chances[rule.id].random() >= rule.rate:
                continue
            if rule.passed < rule.after:
                rule.passed += 1
                continue
            rule.met += 1
            return rule
        return None


def _refused(fault: Fault, call: Call, route: Route) -> AzureError:
    """Return the error in the format of the requested service."""
    own = route.table.faults.get(fault.kind)
    status, code, text = own or _REFUSALS[fault.kind]
    if fault.status is not None and fault.status != status:
        status, code = fault.status, _SERVER_ERRORS[fault.status]
    error = route.table.error(status, code, f"{text.format(path=call.path)} (a fault).")
    if own is None:
        error.headers |= _HEADERS.get(fault.kind, {})
    if status == 401 and route.table.challenge is not None:
        error.headers |= route.table.challenge(call)
    return error


def _expires(bearer: str | None) -> bool:
    """Whether a token is one of Entra ID. Those of jobs are valid for days, and keys of endpoints have no end.

    Source: "Configurable token lifetimes" in Microsoft's documentation of Entra ID.
    """
    try:
        claims = jwt.decode(bearer or "", options={"verify_signature": False})
        return bool(claims["exp"] - claims["iat"] <= _LONGEST_LIFETIME_SECONDS)
    except (jwt.InvalidTokenError, KeyError, TypeError):
        return False


def _refusal(message: str) -> AzureError:
    return AzureError(400, "InvalidFault", f"{message}.")


def _drop(call: Call) -> ConnectionResetError:
    if call.request.transport is not None:
        call.request.transport.abort()
    return ConnectionResetError("dropped by a fault")
