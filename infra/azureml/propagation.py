"""Role assignments take minutes to be in force everywhere: the one place that waits for it.

A new stack creates identities, roles and assets in one run. Azure answers 403 until a role has reached the service that
asks for it, to the deployer as well as to an endpoint that pulls its image or reads its model.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from infra.azureml.errors import AssetError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# Seconds between attempts: five minutes in all, as Microsoft's documentation says of role assignments.
WAITS = (5, 10, 15, 30, 30, 30, 60, 60, 60)
_CODES = ("AuthorizationFailed", "AuthorizationPermissionMismatch", "LinkedAuthorizationFailed")
# What a long-running operation says of an identity that may not read its image or model yet.
_SIGNS = ("acrpull", "pull access denied", "authentication required", "not authorized", "storage blob data reader")


def once_effective(attempt: Callable[[], _T], what: str, sleep: Callable[[float], None] = time.sleep) -> _T:
    """Return what `attempt` returns; repeat it while Azure says that a role is missing, for five minutes.

    Args:
        attempt: something that can be repeated.
        what: what is attempted, for the message.
        sleep: waits the given seconds.
    """
    from azure.core.exceptions import AzureError

    for number, wait in enumerate(WAITS):
        try:
            return attempt()
        except (AssetError, AzureError) as error:
            reason = denial(error)
            if reason is None:
                raise
            if number == 0:
                _log.warning("%s: waiting until role assignments are in force (%s)", what, reason)
            sleep(wait)
    return attempt()


def denial(error: BaseException) -> str | None:
    """Return in a few words why an error is Azure's refusal for a missing role; None when it is something else."""
    from azure.core.exceptions import HttpResponseError

    for each in _chain(error):
        if not isinstance(each, HttpResponseError):
            continue
        text = str(each)
        code = next((code for code in _CODES if code in text), None)
        if code is not None:
            return code
        if each.status_code == 403:
            return "403 Forbidden"
        sign = next((sign for sign in _SIGNS if sign in text.lower()), None)
        if sign is not None:
            return sign
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
