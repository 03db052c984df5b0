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

    async def wait(platform: Platform, arguments: dict[str, Any]) -> Any:
        await event.wait()
        return arguments["answer"]

    works["wait"] = wait
    return event


async def test_success_carries_the_result(platform: Platform, gate: asyncio.Event) -> None:
    id = platform.operations.begin("wait", {"answer": 42}, resource_id="/r")
    assert platform.operations.get(id)["status"] == "InProgress"
    gate.set()
    record = await platform.operations.finished(id)
    assert (record["status"], record["result"], record["resourceId"]) == ("Succeeded", 42, "/r")
    assert record["startTime"] <= record["endTime"]


async def test_refusal_becomes_the_operations_error(platform: Platform, works: dict[str, Work]) -> None:
    async def refuse(platform: Platform, arguments: dict[str, Any]) -> None:
        raise AzureError(409, "QuotaExceeded", "No cores left.")

    works["refuse"] = refuse
    record = await platform.operations.finished(platform.operations.begin("refuse", {}))
    assert record["status"] == "Failed"
    assert record["error"] == {"code": "QuotaExceeded", "message": "No cores left.", "details": []}


@pytest.mark.parametrize("state", ["provisioningState", "status"])
async def test_what_is_made_to_fail_fails_its_resource_too(platform: Platform, gate: asyncio.Event, state: str) -> None:
    platform.store.put("/r", "thing", {"properties": {state: "Waiting"}})
    with operations.failing("OperationFailed", "A fault."):
        id = platform.operations.begin("wait", {}, resource_id="/r")
    assert (await platform.operations.finished(id))["error"]["message"] == "A fault."
    document = platform.store.get("/r")
    assert document is not None
    assert document.body["properties"] == {state: "Failed"}


async def test_bug_ends_the_operation_too(platform: Platform, works: dict[str, Work]) -> None:
    async def stumble(platform: Platform, arguments: dict[str, Any]) -> None:
        raise ZeroDivisionError("by zero")

    works["stumble"] = stumble
    record = await platform.operations.finished(platform.operations.begin("stumble", {}))
    assert record["error"] == {"code": "InternalServerError", "message": "by zero"}


@pytest.mark.parametrize("steps", [0, 3], ids=["before it began", "while it ran"])
async def test_cancellation_ends_it_as_canceled(platform: Platform, gate: asyncio.Event, steps: int) -> None:
    id = platform.operations.begin("wait", {"answer": 1})
    for _ in range(steps):
        await asyncio.sleep(0)
    platform.operations.cancel(id)
    record = await platform.operations.finished(id)
    assert record["status"] == "Canceled"
    assert "endTime" in record


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
    assert (await second.operations.finished(id))["result"] == "kept"
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
    assert (await second.operations.finished(id))["status"] == "Failed"


async def test_operations_that_ended_long_ago_are_forgotten(
    open_platform: Callable[[], Platform], gate: asyncio.Event
) -> None:
    platform = open_platform()
    gate.set()
    old = platform.operations.begin("wait", {"answer": 1})
    await platform.operations.finished(old)
    platform.advance(25 * 3600)
    new = platform.operations.begin("wait", {"answer": 2})
    await platform.operations.finished(new)

    again = open_platform()
    again.operations.resume()
    assert again.operations.get(new)["result"] == 2
    with pytest.raises(AzureError, match="was not found"):
        again.operations.get(old)


async def test_unknown_operation_is_a_404(platform: Platform) -> None:
    with pytest.raises(AzureError) as refused:
        platform.operations.get("nothing")
    assert (refused.value.status, refused.value.code) == (404, "OperationNotFound")
