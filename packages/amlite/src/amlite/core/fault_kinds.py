"""The kinds of faults, in a separate file that the command line can import quickly."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class FaultKind(StrEnum):
    """The effect of a fault on a request."""

    THROTTLE = "throttle"  # 429 with Retry-After; amlite does nothing
    ERROR = "error"  # 500; amlite does nothing
    TIMEOUT = "timeout"  # no response, then amlite drops the connection and does nothing
    RESET = "reset"  # amlite drops the connection immediately and does nothing
    LOST_RESPONSE = "lost-response"  # amlite does what was asked, and drops the connection instead of responding
    SLOW = "slow"  # amlite does what was asked, after a delay
    LRO_FAIL = "lro-fail"  # amlite accepts the request, and the long-running operation fails
    LRO_SLOW = "lro-slow"  # amlite accepts the request, and the long-running operation takes longer
    CONFLICT = "conflict"  # 409: another operation runs on the resource; amlite does nothing
    EXPIRED = "expired"  # 401: the token has expired; amlite does nothing
    EVENTUAL = "eventual"  # 404 for a read; writes are not affected
    ROLE_DELAY = "role-delay"  # amlite does what was asked, and a new role assignment takes effect after a delay
