"""Retries of requests that Azure refuses for a transient reason.

azure-core's policies retry single requests that were throttled, failed or got no response (see `connection`). This
module repeats whole upserts, reads and removals, which are idempotent, for failures that a single retry cannot fix.
Every wait has a limit, and an error reports a wait that exceeds it.
"""

from __future__ import annotations

import logging
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_azureml.operations import connection
from pulumi_azureml.operations.errors import GRANT, WAIT_LONGER, AssetError, DeploymentError, RolloutError

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.core.polling import LROPoller

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# Seconds between attempts. Roles: twelve minutes in all. Microsoft's "Troubleshoot Azure RBAC" says that a role
# assignment takes up to ten minutes to take effect.
ROLE_WAITS = (5, 10, 15, 30, *[60] * 11)
UNSEEN_WAITS = (1, 2, 4, 8, 15)
BROKEN_WAITS = (2, 10, 30)
# A resource counts as missing after this many reads that find nothing.
_LOOKS = 3
_LOOK_SECONDS = 1.0
_POLL_SECONDS = 5.0
_SAY_SECONDS = 300.0
BLOB_ROLE = "Storage Blob Data Contributor"
_BLOBS = ".blob.core.windows.net"
_DENIED = ("AuthorizationFailed", "AuthorizationPermissionMismatch", "LinkedAuthorizationFailed")
# The error of a long-running operation whose identity may not read its image or model yet.
_SIGNS = ("acrpull", "pull access denied", "authentication required", "not authorized", "storage blob data reader")
# The location of a file depends on its hash. If two uploads of the same file run at the same time, one fails because
# the file exists.
_TWICE = "BlobAlreadyExists"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
# The answers of a service that is busy or fails, and their codes, which operations that failed later have.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {
        *("InternalServerError", "InternalError", "TooManyRequests", "ServiceUnavailable", "ServerBusy"),
        *("GatewayTimeout", "BadGateway", "OperationTimedOut", "AnotherOperationInProgress"),
    }
)
# What a sign-in says that will succeed later.
_SIGN_IN = ("expired", "temporarily_unavailable", "timed out")
_UNFINISHED = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
_limit_seconds = 3600.0


@dataclass(frozen=True)
class _Reason:
    """A transient failure: how to recognize and describe it, what to do, and for how long."""

    tell: Callable[[BaseException], str | None]
    waits: tuple[float, ...]
    meaning: str
    remedy: Callable[[], None] = lambda: None


def persistently(attempt: Callable[[], _T], what: str, sleep: Callable[[float], None] = time.sleep) -> _T:
    """Return the result of `attempt`. Repeat it while it fails for a transient reason, then raise its last error.

    It waits for role assignments (twelve minutes), rejected tokens (one new sign-in), written resources that are not
    visible yet (half a minute) and broken connections (three more attempts).

    Args:
        attempt: the operation, which can be repeated.
        what: a description of the operation, for messages.
        sleep: waits the given seconds.
    """
    for reason in _REASONS:
        attempt = partial(_repeated, reason, attempt, what, sleep)
    try:
        return attempt()
    except _kinds() as error:
        account = None if isinstance(error, AssetError) else _closed_account(error)
        if account is None:
            raise
        raise AssetError(
            f"{what}: the identity that runs `pulumi up` may not use the blobs of storage account '{account}', and "
            f"{sum(ROLE_WAITS) // 60} minutes did not change that. It needs the role {BLOB_ROLE} there, which "
            "Owner and Contributor do not include",
            GRANT,
        ) from error


def finished(poller: LROPoller[_T], what: str, *, at_least: float = 0.0) -> _T:
    """Wait for a long-running operation within the limit of `limit_operations`, and return its result.

    The log says every five minutes that the operation continues.

    Args:
        poller: the result of one of the client's `begin_…` functions.
        what: a description of the operation's result, for the message.
        at_least: the minimum number of seconds to wait, for operations that take longer than others.

    Raises:
        AssetError: the operation exceeds the limit. It continues in Azure, and the next update finds it.
        azure.core.exceptions.AzureError: the operation failed.
    """
    limit = waited = max(_limit_seconds, at_least)
    while waited > 0 and not poller.done():
        poller.wait(min(waited, _SAY_SECONDS))
        waited -= _SAY_SECONDS
        if waited > 0 and not poller.done():
            _log.info("%s: '%s' after %g minutes", what, poller.status(), (limit - waited) / 60)
    if not poller.done():
        raise unfinished(what, poller.status(), limit)
    return poller.result()


def unfinished(what: str, state: str, seconds: float | None = None) -> AssetError:
    """Return the error for an operation that exceeds the limit of `limit_operations`, or a limit in seconds."""
    minutes = (_limit_seconds if seconds is None else seconds) / 60
    return AssetError(
        f"{what} is still '{state}' after {minutes:g} minutes. Azure continues it. Check it in the studio, "
        "and run `pulumi up` again, which resumes here",
        WAIT_LONGER,
    )


def settled(
    look: Callable[[], _T | None],
    state: Callable[[_T], str],
    what: str,
    sleep: Callable[[float], None] = time.sleep,
) -> _T | None:
    """Return the resource that `look` reads, once no operation of an earlier attempt runs on it.

    Args:
        look: reads a resource. It returns None if the resource does not exist.
        state: returns the resource's provisioning state.
        what: the resource's name, for the message.
        sleep: waits the given seconds.

    Raises:
        AssetError: the operation exceeds the limit.
    """
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

    def busy(found: _T | None) -> bool:
        return found is not None and state(found) in _UNFINISHED

    def give_up(attempts: Any) -> Any:
        raise unfinished(what, state(attempts.outcome.result()))

    looking = Retrying(
        retry=retry_if_result(busy),
        wait=wait_fixed(_POLL_SECONDS),
        stop=stop_after_attempt(1 + int(_limit_seconds / _POLL_SECONDS)),
        sleep=sleep,
        retry_error_callback=give_up,
    )
    return looking(look)


def confirmed(look: Callable[[], _T | None], sleep: Callable[[float], None] = time.sleep) -> _T | None:
    """Return the result of `look`. Return None only if it finds nothing three times within three seconds.

    A read right after a write can find nothing. A removal that trusted it would leave an orphan behind.
    """
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

    looking = Retrying(
        retry=retry_if_result(lambda found: found is None),
        wait=wait_fixed(_LOOK_SECONDS),
        stop=stop_after_attempt(_LOOKS),
        sleep=sleep,
        retry_error_callback=lambda _attempts: None,
    )
    return looking(look)


def limit_operations(seconds: float) -> None:
    """Set how long this process waits for each long-running operation."""
    global _limit_seconds  # noqa: PLW0603 - the engine configures the provider's process once
    _limit_seconds = seconds


def can_pass(error: BaseException) -> bool:
    """Return whether an error that `persistently` raised can pass by itself, so that another attempt can succeed.

    Azure was busy, failed or did not answer. A deployment or a job that failed is not such an error, whatever its log
    mentions.
    """
    errors = list(_chain(error))
    return not any(isinstance(each, DeploymentError) for each in errors) and any(map(_passes, errors))


def _passes(error: BaseException) -> bool:
    from pulumi_azureml.operations.sdk import ClientAuthenticationError, HttpResponseError

    if isinstance(error, ConnectionError | TimeoutError) or _is_broken(error):
        return True
    if not isinstance(error, HttpResponseError):
        return False
    if isinstance(error, ClientAuthenticationError) or error.status_code == _UNAUTHORIZED:
        return any(sign in str(error).lower() for sign in _SIGN_IN)
    code = getattr(error.error, "code", None) or getattr(error, "error_code", None)
    return error.status_code in _PASSING or code in _PASSING_CODES


def denial(error: BaseException) -> str | None:
    """Return a short reason if Azure refused a request for a missing role, or None for any other error."""
    from pulumi_azureml.operations.sdk import HttpResponseError

    for each in _chain(error):
        if not isinstance(each, HttpResponseError):
            continue
        text = str(each)
        code = next((code for code in _DENIED if code in text), None)
        if code is not None:
            account = _account(each)
            return f"{code}: {BLOB_ROLE} on storage account '{account}'" if account else code
        if each.status_code == _FORBIDDEN:
            return "403 Forbidden"
        sign = next((sign for sign in _SIGNS if sign in text.lower()), None)
        if sign is not None:
            return sign
    return None


def _closed_account(error: BaseException) -> str | None:
    """Return the storage account that refused the caller for a missing role, or None for any other error."""
    from pulumi_azureml.operations.sdk import HttpResponseError

    for each in _chain(error):
        if isinstance(each, HttpResponseError) and "AuthorizationPermissionMismatch" in str(each):
            return _account(each)
    return None


def _account(error: HttpResponseError) -> str | None:
    """Return the storage account whose blob service answered."""
    request = getattr(error.response, "request", None)
    host = urllib.parse.urlsplit(str(getattr(request, "url", ""))).hostname or ""
    return host.removesuffix(_BLOBS) if host.endswith(_BLOBS) else None


def _expired(error: BaseException) -> str | None:
    from pulumi_azureml.operations.sdk import ClientAuthenticationError, HttpResponseError

    for each in _own_chain(error):
        if isinstance(each, HttpResponseError) and each.status_code == _UNAUTHORIZED:
            return "401 Unauthorized"
        if isinstance(each, ClientAuthenticationError):
            return "no token"
    return None


def _unseen(error: BaseException) -> str | None:
    from pulumi_azureml.operations.sdk import HttpResponseError

    for each in _own_chain(error):
        if isinstance(each, HttpResponseError) and each.status_code == _NOT_FOUND:
            return "404 Not Found"
    return None


def _is_broken(error: BaseException) -> bool:
    from pulumi_azureml.operations.sdk import ServiceRequestError, ServiceResponseError

    return isinstance(error, ServiceRequestError | ServiceResponseError)


def _broken(error: BaseException) -> str | None:
    for each in _own_chain(error):
        if _is_broken(each):
            return "the connection broke"
        if _TWICE in str(getattr(each, "error_code", None)):
            return "another asset uploads the same files"
    return None


# From the innermost to the outermost: each retries after those before it gave up.
_REASONS = (
    _Reason(_broken, BROKEN_WAITS, "trying again"),
    _Reason(_unseen, UNSEEN_WAITS, "waiting until Azure shows what was written"),
    _Reason(_expired, (0,), "signing in again", connection.sign_in_again),
    _Reason(denial, ROLE_WAITS, "waiting until role assignments are in effect"),
)


def _repeated(reason: _Reason, attempt: Callable[[], _T], what: str, sleep: Callable[[float], None]) -> _T:
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_chain, wait_fixed, wait_random

    def passes(error: BaseException) -> bool:
        return isinstance(error, _kinds()) and reason.tell(error) is not None

    def prepare(attempts: Any) -> None:
        if attempts.attempt_number == 1:
            _log.warning("%s: %s (%s)", what, reason.meaning, reason.tell(attempts.outcome.exception()))
        reason.remedy()

    repeating = Retrying(
        retry=retry_if_exception(passes),
        # Requests that were refused at the same time would otherwise retry at the same time.
        wait=wait_chain(*(wait_fixed(wait) + wait_random(0, wait / 10) for wait in reason.waits)),
        stop=stop_after_attempt(len(reason.waits) + 1),
        before_sleep=prepare,
        sleep=sleep,
        reraise=True,
    )
    return repeating(attempt)


def _kinds() -> tuple[type[Exception], ...]:
    from pulumi_azureml.operations.sdk import AzureError

    return (AssetError, AzureError)


def _own_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes. Yield nothing for a failed rollout, which must not start again."""
    if not isinstance(error, RolloutError):
        yield from _chain(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
