"""Faults on demand, met by plain requests and by the real client's retries."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.resources import ResourceManagementClient

from amlite import SUBSCRIPTION_ID
from tests.integration.conftest import GROUP_ID, Json, LocalAzure

VERSION = "2023-09-01"
BODY: Json = {"location": "westeurope"}


@pytest.fixture
def path(local_azure: LocalAzure) -> Iterator[str]:
    """The id of a resource that does not exist, with no fault left after the test."""
    yield f"{GROUP_ID}/providers/Microsoft.OperationalInsights/workspaces/log-{uuid.uuid4().hex[:8]}"
    local_azure.clear_faults()


def _add(local_azure: LocalAzure, path: str, method: str, kind: str, *more: str) -> None:
    local_azure.command("fault", "add", "--match", f"{method} */{path.rpartition('/')[2]}", "--kind", kind, *more)


def _exists(local_azure: LocalAzure, path: str) -> bool:
    return local_azure.arm("GET", path, version=VERSION).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("throttle", 429), ("error", 500)])
def test_refused_so_many_times_and_nothing_done(local_azure: LocalAzure, path: str, kind: str, status: int) -> None:
    _add(local_azure, path, "PUT", kind, "--times", "2")
    for _ in range(2):
        answer = local_azure.arm("PUT", path, BODY, VERSION)
        assert answer.status_code == status
        assert ("Retry-After" in answer.headers) is (kind == "throttle")
        assert not _exists(local_azure, path)
    local_azure.put(path, BODY, VERSION)
    assert f"{kind:<14} 2 times    met 2 " in local_azure.command("fault", "list")


def test_the_first_requests_may_pass(local_azure: LocalAzure, path: str) -> None:
    local_azure.put(path, BODY, VERSION)
    _add(local_azure, path, "GET", "error", "--after", "2")
    answers = [local_azure.arm("GET", path, version=VERSION).status_code for _ in range(4)]
    assert answers == [200, 200, 500, 200]


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("conflict", 409, "AnotherOperationInProgress"), ("expired", 401, "Expired")]
)
def test_refused_in_the_words_of_the_service(
    local_azure: LocalAzure, path: str, kind: str, status: int, code: str
) -> None:
    _add(local_azure, path, "PUT", kind)
    answer = local_azure.arm("PUT", path, BODY, VERSION)
    assert (answer.status_code, "Retry-After" in answer.headers) == (status, False)
    assert code in answer.json()["error"]["code"]
    assert not _exists(local_azure, path)


def test_operation_that_takes_hours_by_the_clock(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "PUT", "lro-slow", "--seconds", "7200")
    answer = local_azure.arm("PUT", path, BODY, VERSION)
    for _ in range(3):
        state = local_azure.arm("GET", path, version=VERSION).json()["properties"]["provisioningState"]
        assert state == "Creating"
    local_azure.advance(7201)
    assert local_azure.finish(answer)["status"] == "Succeeded"


def test_dropped_without_being_done(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "PUT", "reset")
    with pytest.raises(requests.ConnectionError):
        local_azure.arm("PUT", path, BODY, VERSION)
    assert not _exists(local_azure, path)
    local_azure.put(path, BODY, VERSION)


def test_done_and_the_answer_lost(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "PUT", "lost-response")
    with pytest.raises(requests.ConnectionError):
        local_azure.arm("PUT", path, BODY, VERSION)
    assert _exists(local_azure, path)


def test_operation_that_fails(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "PUT", "lro-fail")
    with ResourceManagementClient(local_azure.credential, SUBSCRIPTION_ID) as client:
        creating = client.resources.begin_create_or_update_by_id(path, BODY, api_version=VERSION)
        with pytest.raises(HttpResponseError, match="OperationFailed"):
            creating.result()
    found = local_azure.arm("GET", path, version=VERSION).json()
    assert found["properties"]["provisioningState"] == "Failed"
    assert local_azure.put(path, BODY, VERSION)["properties"]["provisioningState"] == "Succeeded"


def test_what_was_written_is_not_seen_at_once(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "*", "eventual", "--times", "2")
    local_azure.finish(local_azure.arm("PUT", path, BODY, VERSION))
    assert [_exists(local_azure, path) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(("kind", "answered"), [("slow", True), ("timeout", False)])
def test_time_passes_by_the_clock(local_azure: LocalAzure, path: str, kind: str, answered: bool) -> None:
    local_azure.put(path, BODY, VERSION)
    _add(local_azure, path, "GET", kind, "--seconds", "3600")
    outcome: list[bool] = []

    def ask() -> None:
        try:
            outcome.append(_exists(local_azure, path))
        except requests.ConnectionError:
            outcome.append(False)

    asking = threading.Thread(target=ask)
    asking.start()
    while "met 1 " not in local_azure.command("fault", "list"):
        assert asking.is_alive()
    assert asking.is_alive()
    local_azure.advance(3601)
    asking.join()
    assert outcome == [answered]


def test_the_real_client_lives_with_throttling(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "*", "throttle", "--times", "2")
    with ResourceManagementClient(local_azure.credential, SUBSCRIPTION_ID) as client:
        client.resources.begin_create_or_update_by_id(path, BODY, api_version=VERSION).result()
    assert _exists(local_azure, path)


def test_a_rate_of_one_is_every_request(local_azure: LocalAzure, path: str) -> None:
    _add(local_azure, path, "GET", "error", "--rate", "1")
    for _ in range(3):
        assert local_azure.arm("GET", path, version=VERSION).status_code == 500
    local_azure.command("fault", "clear")
    assert local_azure.arm("GET", path, version=VERSION).status_code == 404
