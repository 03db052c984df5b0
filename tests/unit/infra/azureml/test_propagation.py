"""Role assignments that are not in force yet: waited for, and nothing else is."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from infra.azureml.errors import RolloutError
from infra.azureml.propagation import WAITS, denial, once_effective


def refused(message: str, status: int | None = 403) -> HttpResponseError:
    error = HttpResponseError(message)
    error.status_code = status
    return error


class Attempt:
    """Fails with each of the errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def wrapped(cause: Exception) -> RolloutError:
    error = RolloutError("deployment 'blue' did not start")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        refused("(AuthorizationFailed) The client does not have authorization to perform action"),
        refused("ErrorCode:AuthorizationPermissionMismatch"),
        wrapped(refused("(ResourceOperationFailure) ... pull access denied, 403 Forbidden", None)),
        wrapped(refused("the identity needs AcrPull on the registry", 400)),
    ],
)
def test_a_missing_role_is_waited_for(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    attempt = Attempt(error, error)
    with caplog.at_level(logging.WARNING):
        assert once_effective(attempt, "component 'prep'", slept.append) == "done"
    assert slept == list(WAITS[:2])
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "component 'prep': waiting until role assignments are in force"
    ]


@pytest.mark.parametrize("error", [refused("no such image", 404), refused("conflict", 409), wrapped(refused("x", 400))])
def test_any_other_failure_is_raised_at_once(error: Exception) -> None:
    def never(_seconds: float) -> None:
        raise AssertionError

    with pytest.raises(type(error)):
        once_effective(Attempt(error), "x", never)
    assert denial(error) is None


def test_a_role_that_never_comes_is_reported_after_five_minutes() -> None:
    slept: list[float] = []
    attempt = Attempt(*[refused("(AuthorizationFailed) never") for _ in range(100)])
    with pytest.raises(HttpResponseError, match="never"):
        once_effective(attempt, "x", slept.append)
    assert attempt.calls == len(WAITS) + 1
    assert sum(slept) == 300


def test_programming_errors_are_not_retried() -> None:
    mistake: Any = KeyError("x")
    with pytest.raises(KeyError):
        once_effective(Attempt(mistake), "x", lambda _seconds: None)
