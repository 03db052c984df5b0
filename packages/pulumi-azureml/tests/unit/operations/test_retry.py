"""What passes is waited for, as long as it says and no longer; nothing else is."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceResponseError
from azure.core.rest import HttpRequest

from pulumi_azureml.operations import connection, retry
from pulumi_azureml.operations.errors import AssetError, DeploymentError, OwnershipError, RolloutError
from pulumi_azureml.operations.retry import ROLE_WAITS, UNSEEN_WAITS, confirmed, denial, finished, persistently, settled
from pulumi_azureml.planning.config_keys import ConfigKeys


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


def of_blobs(account: str) -> Exception:
    """Return what azure-ai-ml raises for an upload that the blob service refuses."""
    request = HttpRequest("PUT", f"https://{account}.blob.core.windows.net/container/LocalUpload/x")
    cause = refused("Operation returned an invalid status 'Forbidden'\nErrorCode:AuthorizationPermissionMismatch")
    cause.response = SimpleNamespace(request=request)
    error = MlException("You don't have permission to alter this storage account.", "no permission")
    error.__cause__ = cause
    return error


def test_who_may_not_upload_is_told_the_role_and_the_fix(caplog: pytest.LogCaptureFixture) -> None:
    """With shared keys off, neither Owner nor Contributor may write blobs."""
    attempt, slept = Attempt(*[of_blobs("stflights")] * (len(ROLE_WAITS) + 1)), list[float]()
    with caplog.at_level(logging.WARNING), pytest.raises(AssetError) as failed:
        persistently(attempt, "component 'prep'", slept.append)
    failed.value.name_option(ConfigKeys(deployer="azureml-platform:access.deployer"))
    message = str(failed.value)
    assert "component 'prep': the identity that runs `pulumi up` may not use the blobs of storage account" in message
    assert "'stflights', and 12 minutes did not change that" in message
    assert "needs the role Storage Blob Data Contributor there, which Owner and Contributor do not include" in message
    assert "pulumi config set --path 'azureml-platform:access.deployer' true" in message
    assert (
        "(AuthorizationPermissionMismatch: Storage Blob Data Contributor on storage account 'stflights')" in caplog.text
    )
    assert len(slept) == len(ROLE_WAITS)


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
        assert persistently(attempt, "component 'prep'", slept.append) == "done"
    assert_waits(slept, ROLE_WAITS[:2])
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "component 'prep': waiting until role assignments are in effect"
    ]


def assert_waits(slept: list[float], wanted: Sequence[float]) -> None:
    """What was slept is what was wanted, and at most a tenth more."""
    assert len(slept) == len(wanted)
    assert all(least <= each <= 1.1 * least for each, least in zip(slept, wanted, strict=True))


@pytest.mark.parametrize(
    "error",
    [refused("bad", 400), refused("conflict", 409), wrapped(refused("x", 404)), OwnershipError("belongs to another")],
)
def test_any_other_failure_is_raised_at_once(error: Exception) -> None:
    def never(_seconds: float) -> None:
        raise AssertionError

    with pytest.raises(type(error)):
        persistently(Attempt(error), "x", never)
    assert denial(error) is None


def test_a_role_that_never_comes_is_reported_after_five_minutes() -> None:
    slept: list[float] = []
    attempt = Attempt(*[refused("(AuthorizationFailed) never") for _ in range(100)])
    with pytest.raises(HttpResponseError, match="never"):
        persistently(attempt, "x", slept.append)
    assert attempt.calls == len(ROLE_WAITS) + 1
    assert_waits(slept, ROLE_WAITS)
    assert sum(ROLE_WAITS) >= 720, "ten minutes, as Microsoft says, and a margin"


def test_programming_errors_are_not_retried() -> None:
    mistake: Any = KeyError("x")
    with pytest.raises(KeyError):
        persistently(Attempt(mistake), "x", lambda _seconds: None)


def test_what_was_written_and_is_not_seen_yet_is_waited_for() -> None:
    slept: list[float] = []
    attempt = Attempt(refused("not found", 404), refused("not found", 404))
    assert persistently(attempt, "x", slept.append) == "done"
    assert_waits(slept, UNSEEN_WAITS[:2])
    with pytest.raises(HttpResponseError):
        persistently(Attempt(*[refused("never", 404) for _ in range(100)]), "x", lambda _seconds: None)


def test_of_two_uploads_of_the_same_files_both_succeed() -> None:
    error = refused("The specified blob already exists.", 409)
    error.error_code = "BlobAlreadyExists"  # type: ignore[attr-defined]
    attempt = Attempt(error)
    assert persistently(attempt, "x", lambda _seconds: None) == "done"


def test_a_connection_that_breaks_is_tried_again_but_not_a_rollout() -> None:
    attempt = Attempt(ServiceResponseError("connection reset"))
    assert persistently(attempt, "x", lambda _seconds: None) == "done"
    given_up = wrapped(ServiceResponseError("connection reset"))
    with pytest.raises(RolloutError):
        persistently(Attempt(given_up), "x", lambda _seconds: None)


def test_a_token_that_is_not_taken_any_more_is_renewed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials: list[object] = []

    class Credential:
        def __init__(self, **_options: object) -> None:
            credentials.append(self)

    monkeypatch.setattr("pulumi_azureml.operations.sdk.DefaultAzureCredential", Credential)
    connection.sign_in_again()

    def ask() -> object:
        signed_in = connection.credential().inner
        if signed_in is credentials[0]:
            raise refused("(ExpiredAuthenticationToken)", 401)
        return signed_in

    assert persistently(ask, "x", lambda _seconds: None) is credentials[1]
    with pytest.raises(HttpResponseError):
        persistently(Attempt(refused("no", 401), refused("no", 401)), "x", lambda _seconds: None)
    connection.sign_in_again()


def test_reasons_mix() -> None:
    attempt = Attempt(
        refused("(AuthorizationFailed)"), ServiceResponseError("reset"), refused("no", 404), refused("no", 401)
    )
    assert persistently(attempt, "x", lambda _seconds: None) == "done"
    assert attempt.calls == 5


class Operation:
    """A long-running operation that ends, or does not."""

    def __init__(self, ends: bool) -> None:
        self.ends = ends
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def done(self) -> bool:
        return self.ends

    def status(self) -> str:
        return "InProgress"

    def result(self) -> str:
        return "made"


@pytest.fixture
def two_minutes() -> Iterator[None]:
    retry.limit_operations(120)
    yield
    retry.limit_operations(3600)


def test_an_operation_that_never_ends_is_given_up_with_what_to_do(two_minutes: None) -> None:
    ends: Any = Operation(ends=True)
    assert finished(ends, "endpoint 'ep'") == "made"
    never: Any = Operation(ends=False)
    with pytest.raises(AssetError, match=r"endpoint 'ep' is still 'InProgress' after 2 minutes.*pulumi up.*resumes"):
        finished(never, "endpoint 'ep'")
    assert never.waited == [120]


def test_an_earlier_attempts_operation_is_waited_for(two_minutes: None) -> None:
    states = iter(["Creating", "Updating", "Succeeded"])
    assert settled(lambda: next(states), str, "endpoint 'ep'", lambda _seconds: None) == "Succeeded"
    assert settled(lambda: None, str, "endpoint 'ep'", lambda _seconds: None) is None
    retry.limit_operations(0)
    with pytest.raises(AssetError, match="endpoint 'ep' is still 'Creating'"):
        settled(lambda: "Creating", str, "endpoint 'ep'", lambda _seconds: None)


def test_nothing_is_believed_when_it_is_found_three_times() -> None:
    answers: Iterator[str | None] = iter([None, None, "there"])
    slept: list[float] = []
    assert confirmed(lambda: next(answers), slept.append) == "there"
    assert len(slept) == 2
    assert confirmed(lambda: None, slept.append) is None
    assert len(slept) == 4


def coded(code: str) -> HttpResponseError:
    """Return the error of a long-running operation that failed with a code, as azure-core raises it."""
    error = refused(f"({code}) the operation failed", 200)
    error.error = SimpleNamespace(code=code)  # type: ignore[assignment]
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (refused("the service stumbled", 503), True),
        (refused("throttled", 429), True),
        (coded("InternalServerError"), True),
        (ServiceResponseError("Connection aborted."), True),
        (caused(MlException("upload failed", "upload failed"), refused("The access token has expired", 401)), True),
        (caused(AssetError("endpoint a refused 10 %"), refused("stumbled", 500)), True),
        (ClientAuthenticationError("AADSTS90033: temporarily_unavailable"), True),
        (ClientAuthenticationError("run az login"), False),
        (refused("the wrong tenant", 401), False),
        (refused("no role; the server said 503", 403), False),
        (coded("BadArgument"), False),
        (AssetError("job 'plum_1' ended as Failed: the server said 503, and timed out"), False),
        (caused(DeploymentError("deployment 'a' did not start: 500"), refused("stumbled", 500)), False),
        (ValueError("429 is not a version"), False),
    ],
)
def test_an_error_can_pass_if_azure_failed_and_not_if_a_deployment_or_a_job_did(error: Exception, passes: bool) -> None:
    assert retry.can_pass(error) is passes
