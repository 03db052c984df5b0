"""Polling by workflows: each for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from amlite.core import outgoing
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.logic import runs

GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows"
pytestmark = pytest.mark.attack


def put(platform: Platform, name: str, interval: int = 1) -> None:
    """Create a workflow that polls an address with its name, each `interval` seconds."""
    trigger: Json = {
        "recurrence": {"frequency": "Second", "interval": interval},
        "inputs": {"method": "GET", "uri": f"https://{name}"},
    }
    definition = {"triggers": {"t": trigger}, "actions": {}}
    body = {"name": name, "properties": {"state": "Enabled", "definition": definition}}
    platform.store.put(f"{GROUP}/{name}", runs.TYPE, body)


class Receiver:
    """Answers requests at once, but those to `slow` never. Knows how often each address was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.most = self.now = 0
        self.heard = asyncio.Event()

    async def send(self, _platform: Platform, _method: str, url: str, **_: Any) -> outgoing.Answer:
        name = url.removeprefix("https://")
        self.asked[name] = self.asked.get(name, 0) + 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.heard.set()
        try:
            if name.startswith("slow"):
                await asyncio.Event().wait()
            return outgoing.Answer(202, {}, "")
        finally:
            self.now -= 1

    async def until(self, name: str, times: int) -> None:
        async with asyncio.timeout(10):
            while self.asked.get(name, 0) < times:
                self.heard.clear()
                await self.heard.wait()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    made = Receiver()
    monkeypatch.setattr(outgoing, "send", made.send)
    return made


async def test_a_workflow_that_waits_delays_no_other_one(platform: Platform, receiver: Receiver) -> None:
    put(platform, "slow")
    put(platform, "quick")
    await runs.start(platform)
    await receiver.until("quick", 3)
    assert receiver.asked["slow"] == 1  # and not once more before it has ended


async def test_workflows_have_a_bound_of_requests_at_once(platform: Platform, receiver: Receiver) -> None:
    for number in range(runs._MOST_REQUESTS + 5):
        put(platform, f"slow{number}")
    await runs.start(platform)
    await receiver.until(f"slow{runs._MOST_REQUESTS - 1}", 1)
    await asyncio.sleep(0)
    assert receiver.most == runs._MOST_REQUESTS


async def test_a_workflow_that_was_deleted_while_it_ran_has_no_run(platform: Platform, receiver: Receiver) -> None:
    put(platform, "quick")
    document = platform.store.get(f"{GROUP}/quick")
    assert document is not None
    platform.store.delete(document.id)
    await runs._run(platform, document, runs.Context(None, {}, platform.clock.now()))
    assert runs.runs_of(platform, document.id) == []
