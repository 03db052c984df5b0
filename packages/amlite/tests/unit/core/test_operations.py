from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from amlite.core import operations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform, Work


@pytest.fixture
def gate(works: dict[str, Work]) -> asyncio.Event:
    """Bring `wait`, a work that ends when the returned event is set."""
    event = asyncio.Event()

    async def wait(platform: Platform, arguments: dict[str, Any]) -> None:
        await event.wait()
        platform.store.put("/done", "thing", arguments)

    works["wait"] = wait
    return event


async def ended(platform: Platform, id: str) -> dict[str, Any]:
    """Wait for an operation's end and return its record."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return platform.operations.get(id)


async def test_success_is_written_down_after_the_work(platform: Platform, gate: asyncio.Event) -> None:
    id = platform.operations.begin("wait", {"answer": 42}, resource_id="/r")
    assert platform.operations.get(id)["status"] == "InProgress"
    gate.set()
    record = await ended(platform, id)
    assert (record["status"], record["resourceId"]) == ("Succeeded", "/r")
    assert record["startTime"] <= record["endTime"]
    document = platform.store.get("/done")
    assert document is not None
    assert document.body == {"answer": 42}


async def test_refusal_becomes_the_operations_error(platform: Platform, works: dict[str, Work]) -> None:
    async def refuse(platform: Platform, arguments: dict[str, Any]) -> None:
        raise AzureError(409, "QuotaExceeded", "No cores left.")

    works["refuse"] = refuse
    record = await ended(platform, platform.operations.begin("refuse", {}))
    assert record["status"] == "Failed"
    assert record["error"] == {"code": "QuotaExceeded", "message": "No cores left.", "details": []}


@pytest.mark.parametrize("state", ["provisioningState", "status"])
async def test_what_is_made_to_fail_fails_its_resource_too(platform: Platform, gate: asyncio.Event, state: str) -> None:
    platform.store.put("/r", "thing", {"properties": {state: "Waiting"}})
    with operations.failing("OperationFailed", "A fault."):
        id = platform.operations.begin("wait", {}, resource_id="/r")
    assert (await ended(platform, id))["error"]["message"] == "A fault."
    document = platform.store.get("/r")
    assert document is not None
    assert document.body["properties"] == {state: "Failed"}


@pytest.mark.parametrize(
    ("state", "before", "after"),
    [
        ("provisioningState", "Creating", "Failed"),
        ("provisioningState", "Succeeded", "Failed"),
        ("status", "Running", "Failed"),
        ("status", "Completed", "Completed"),
        ("status", "Canceled", "Canceled"),
    ],
)
async def test_bug_ends_the_operation_and_its_resource(
    platform: Platform, works: dict[str, Work], state: str, before: str, after: str
) -> None:
    async def stumble(platform: Platform, arguments: dict[str, Any]) -> None:
        raise ZeroDivisionError("by zero")

    works["stumble"] = stumble
    platform.store.put("/r", "thing", {"properties": {state: before}})
    record = await ended(platform, platform.operations.begin("stumble", {}, resource_id="/r"))
    assert record["error"] == {"code": "InternalServerError", "message": "by zero"}
    document = platform.store.get("/r")
    assert document is not None
    assert document.body["properties"] == {state: after}


async def test_what_a_stop_interrupted_goes_on_at_the_next_start(
    open_platform: Callable[[], Platform], gate: asyncio.Event
) -> None:
    first = open_platform()
    id = first.operations.begin("wait", {"answer": "kept"})
    await asyncio.sleep(0)
    await first.operations.stop()
    assert first.operations.get(id)["status"] == "InProgress"

    second = open_platform()
    assert second.operations.resume() == 1
    gate.set()
    assert (await ended(second, id))["status"] == "Succeeded"
    document = second.store.get("/done")
    assert document is not None
    assert document.body == {"answer": "kept"}
    assert open_platform().operations.resume() == 0


async def test_work_that_no_longer_exists_fails_the_operation(
    open_platform: Callable[[], Platform], gate: asyncio.Event, works: dict[str, Work]
) -> None:
    first = open_platform()
    id = first.operations.begin("wait", {})
    await first.operations.stop()
    del works["wait"]
    second = open_platform()
    second.operations.resume()
    assert (await ended(second, id))["status"] == "Failed"


async def test_operations_that_ended_long_ago_are_forgotten(
    open_platform: Callable[[], Platform], gate: asyncio.Event
) -> None:
    platform = open_platform()
    gate.set()
    old = platform.operations.begin("wait", {"answer": 1})
    await ended(platform, old)
    platform.advance(25 * 3600)
    new = platform.operations.begin("wait", {"answer": 2})
    await ended(platform, new)

    again = open_platform()
    again.operations.resume()
    assert again.operations.get(new)["status"] == "Succeeded"
    with pytest.raises(AzureError, match="was not found"):
        again.operations.get(old)


async def test_unknown_operation_is_a_404(platform: Platform) -> None:
    with pytest.raises(AzureError) as refused:
        platform.operations.get("nothing")
    assert (refused.value.status, refused.value.code) == (404, "OperationNotFound")
