"""Who gets events: nobody who did not confirm that it wants them."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.core import outgoing
from amlite.core.platform import Platform
from amlite.services.eventgrid import delivery, filters

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
TOPIC = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/systemTopics/t"
SUBSCRIPTION = f"{TOPIC}/eventSubscriptions/hook"


@pytest.fixture
def sent(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses that get something: of a subscription to a workspace's events, with one delivery."""
    urls: list[str] = []

    async def send(_platform: Platform, _method: str, url: str, **_: Any) -> outgoing.Answer:
        urls.append(url)
        return outgoing.Answer(200, {}, "")

    monkeypatch.setattr(outgoing, "send", send)
    monkeypatch.setattr(platform.operations, "begin", lambda *_, **__: "operation")
    platform.store.put(TOPIC, delivery.TOPIC_TYPE, {"id": TOPIC, "name": "t", "properties": {"source": WORKSPACE}})
    delivery.remember_url(platform, SUBSCRIPTION, "https://127.0.0.1/of/somebody")
    return urls


def put(platform: Platform, state: str) -> None:
    properties = {
        "filter": filters.check({}),
        "retryPolicy": {"maxDeliveryAttempts": 1, "eventTimeToLiveInMinutes": 1},
        "provisioningState": state,
    }
    platform.store.put(SUBSCRIPTION, delivery.SUBSCRIPTION_TYPE, {"name": "hook", "properties": properties})


def publish(platform: Platform) -> list[str]:
    delivery.publish(platform, WORKSPACE, filters.COMPLETED, "subject", {})
    return [document.id for document in platform.store.of_type(delivery.DELIVERY_TYPE)]


@pytest.mark.attack
@pytest.mark.parametrize("state", ["Creating", "Failed"])
def test_a_subscription_that_was_not_confirmed_gets_no_events(platform: Platform, sent: list[str], state: str) -> None:
    put(platform, state)
    assert publish(platform) == []
    assert sent == []


@pytest.mark.attack
@pytest.mark.parametrize("state", ["Updating", "Failed"])
async def test_an_event_that_waits_is_not_sent_to_an_address_that_was_not_confirmed(
    platform: Platform, sent: list[str], state: str
) -> None:
    put(platform, "Succeeded")
    (waiting,) = publish(platform)
    put(platform, state)
    await delivery.deliver(platform, {"delivery": waiting})
    assert sent == []


@pytest.mark.attack
async def test_an_address_is_not_confirmed_by_the_answer_of_the_one_before(platform: Platform, sent: list[str]) -> None:
    """Two changes were under way: when the first webhook had answered, events went to the second one."""
    put(platform, "Succeeded")
    (waiting,) = publish(platform)
    delivery.confirm(platform, SUBSCRIPTION, "https://127.0.0.1/of/the/writer")
    await delivery.deliver(platform, {"delivery": waiting})
    assert sent == []


async def test_a_confirmed_webhook_gets_an_event(platform: Platform, sent: list[str]) -> None:
    put(platform, "Succeeded")
    delivery.confirm(platform, SUBSCRIPTION, "https://127.0.0.1/of/somebody")
    (waiting,) = publish(platform)
    await delivery.deliver(platform, {"delivery": waiting})
    assert sent == ["https://127.0.0.1/of/somebody"]
