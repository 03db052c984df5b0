"""Faults on demand, met by plain requests and by the real client's retries."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.mgmt.resource.resources import ResourceManagementClient

from amlite import SUBSCRIPTION_ID
from amlite.testing import LocalAzure
from amlite_fixtures.azure import GROUP_ID, Json

VERSION = "2023-09-01"
BODY: Json = {"location": "westeurope"}


@pytest.fixture
def path(amlite: LocalAzure) -> Iterator[str]:
    """The id of a resource that does not exist, with no fault left after the test."""
    yield f"{GROUP_ID}/providers/Microsoft.OperationalInsights/workspaces/log-{uuid.uuid4().hex[:8]}"
    amlite.clear_faults()


def _add(amlite: LocalAzure, path: str, method: str, kind: str, *more: str) -> None:
    amlite.command("fault", "add", "--match", f"{method} */{path.rpartition('/')[2]}", "--kind", kind, *more)


def _exists(amlite: LocalAzure, path: str) -> bool:
    return amlite.arm("GET", path, version=VERSION).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("throttle", 429), ("error", 500)])
def test_refused_so_many_times_and_nothing_done(amlite: LocalAzure, path: str, kind: str, status: int) -> None:
    _add(amlite, path, "PUT", kind, "--times", "2")
    for _ in range(2):
        answer = amlite.arm("PUT", path, BODY, VERSION)
        assert answer.status_code == status
        assert ("Retry-After" in answer.headers) is (kind == "throttle")
        assert not _exists(amlite, path)
    amlite.put(path, BODY, VERSION)
    assert f"{kind:<14} 2 times    met 2 " in amlite.command("fault", "list")


def test_the_first_requests_may_pass(amlite: LocalAzure, path: str) -> None:
    amlite.put(path, BODY, VERSION)
    _add(amlite, path, "GET", "error", "--after", "2")
    answers = [amlite.arm("GET", path, version=VERSION).status_code for _ in range(4)]
    assert answers == [200, 200, 500, 200]


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("conflict", 409, "AnotherOperationInProgress"), ("expired", 401, "Expired")]
)
def test_refused_in_the_words_of_the_service(amlite: LocalAzure, path: str, kind: str, status: int, code: str) -> None:
    _add(amlite, path, "PUT", kind)
    answer = amlite.arm("PUT", path, BODY, VERSION)
    assert (answer.status_code, "Retry-After" in answer.headers) == (status, False)
    assert code in answer.json()["error"]["code"]
    assert not _exists(amlite, path)


@pytest.mark.parametrize(
    ("status", "code"), [(502, "BadGateway"), (503, "ServiceUnavailable"), (504, "GatewayTimeout")]
)
def test_an_error_may_have_another_status(amlite: LocalAzure, path: str, status: int, code: str) -> None:
    _add(amlite, path, "PUT", "error", "--status", str(status))
    answer = amlite.arm("PUT", path, BODY, VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_same_seed_selects_the_same_requests(amlite: LocalAzure, path: str) -> None:
    seen = []
    for _ in range(2):
        _add(amlite, path, "GET", "error", "--rate", "0.5", "--seed", "1")
        seen.append([amlite.arm("GET", path, version=VERSION).status_code for _ in range(12)])
        amlite.clear_faults()
    assert seen[0] == seen[1]
    assert set(seen[0]) == {404, 500}


def test_a_sign_in_has_no_token_that_expires(amlite: LocalAzure, path: str) -> None:
    amlite.command("fault", "add", "--match", "* *", "--kind", "expired", "--rate", "1")
    with amlite.signed_in():
        assert DefaultAzureCredential().get_token("https://management.azure.com/.default").token
    assert amlite.arm("PUT", path, BODY, VERSION).status_code == 401


def test_operation_that_takes_hours_by_the_clock(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "PUT", "lro-slow", "--seconds", "7200")
    answer = amlite.arm("PUT", path, BODY, VERSION)
    for _ in range(3):
        state = amlite.arm("GET", path, version=VERSION).json()["properties"]["provisioningState"]
        assert state == "Creating"
    amlite.advance(7201)
    assert amlite.finish(answer)["status"] == "Succeeded"


def test_dropped_without_being_done(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "PUT", "reset")
    with pytest.raises(requests.ConnectionError):
        amlite.arm("PUT", path, BODY, VERSION)
    assert not _exists(amlite, path)
    amlite.put(path, BODY, VERSION)


def test_done_and_the_answer_lost(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "PUT", "lost-response")
    with pytest.raises(requests.ConnectionError):
        amlite.arm("PUT", path, BODY, VERSION)
    assert _exists(amlite, path)


def test_operation_that_fails(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "PUT", "lro-fail")
    with ResourceManagementClient(amlite.credential, SUBSCRIPTION_ID) as client:
        creating = client.resources.begin_create_or_update_by_id(path, BODY, api_version=VERSION)
        with pytest.raises(HttpResponseError, match="OperationFailed"):
            creating.result()
    found = amlite.arm("GET", path, version=VERSION).json()
    assert found["properties"]["provisioningState"] == "Failed"
    assert amlite.put(path, BODY, VERSION)["properties"]["provisioningState"] == "Succeeded"


def test_what_was_written_is_not_seen_at_once(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "*", "eventual", "--times", "2")
    amlite.finish(amlite.arm("PUT", path, BODY, VERSION))
    assert [_exists(amlite, path) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(("kind", "answered"), [("slow", True), ("timeout", False)])
def test_time_passes_by_the_clock(amlite: LocalAzure, path: str, kind: str, answered: bool) -> None:
    amlite.put(path, BODY, VERSION)
    _add(amlite, path, "GET", kind, "--seconds", "3600")
    outcome: list[bool] = []

    def ask() -> None:
        try:
            outcome.append(_exists(amlite, path))
        except requests.ConnectionError:
            outcome.append(False)

    asking = threading.Thread(target=ask)
    asking.start()
    while "met 1 " not in amlite.command("fault", "list"):
        assert asking.is_alive()
    assert asking.is_alive()
    amlite.advance(3601)
    asking.join()
    assert outcome == [answered]


def test_the_real_client_lives_with_throttling(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "*", "throttle", "--times", "2")
    with ResourceManagementClient(amlite.credential, SUBSCRIPTION_ID) as client:
        client.resources.begin_create_or_update_by_id(path, BODY, api_version=VERSION).result()
    assert _exists(amlite, path)


def test_a_rate_of_one_is_every_request(amlite: LocalAzure, path: str) -> None:
    _add(amlite, path, "GET", "error", "--rate", "1")
    for _ in range(3):
        assert amlite.arm("GET", path, version=VERSION).status_code == 500
    amlite.command("fault", "clear")
    assert amlite.arm("GET", path, version=VERSION).status_code == 404


@pytest.mark.parametrize("kind", ["error", "expired", "reset"])
def test_no_fault_locks_the_command_line_out(amlite: LocalAzure, kind: str) -> None:
    amlite.command("fault", "add", "--match", "* *", "--kind", kind, "--rate", "1")
    assert "rate 1.0" in amlite.command("fault", "list")
    assert "1 faults cleared" in amlite.command("fault", "clear")
