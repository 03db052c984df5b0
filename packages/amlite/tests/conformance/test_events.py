"""Event Grid: topics of workspaces, filters, and the delivery of a run's events to queues and webhooks.

Sources: Microsoft's pages "Azure Machine Learning as an Event Grid source", "Understand event filtering", "Event Grid
message delivery and retry", "Event delivery with a managed identity" and "Endpoint validation".
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator

import pytest

from amlite.testing import Workspace
from amlite_fixtures import events
from amlite_fixtures.azure import Json
from amlite_fixtures.receiver import Receiver, listening

SENDER = "Storage Queue Data Message Sender"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture(scope="module")
def topic(azureml_workspace: Workspace) -> Iterator[Json]:
    made = events.topic(azureml_workspace)
    yield made
    azureml_workspace.azure.remove(made["id"], events.EVENTS)


@pytest.fixture
def subscription(topic: Json, azureml_workspace: Workspace) -> Iterator[str]:
    path = f"{topic['id']}/eventSubscriptions/drift-{uuid.uuid4().hex[:8]}"
    yield path
    azureml_workspace.azure.remove(path, events.EVENTS)


def delivered(workspace: Workspace, subscription: str) -> list[Json]:
    """Return what amlite says about the deliveries of a subscription."""
    told = json.loads(workspace.azure.command("alerts", "--output", "json"))["events"]
    return [each for each in told if each["subscription"] == subscription]


def test_run_with_the_tag_reaches_the_queue_by_the_identity_of_the_topic(
    azureml_workspace: Workspace, topic: Json, subscription: str
) -> None:
    queue = events.queue(azureml_workspace, "drift")
    wanted = events.to_queue(azureml_workspace, "drift")
    azureml_workspace.azure.put(subscription, events.subscription(wanted), events.EVENTS)
    events.finished_run(azureml_workspace, {"drift_detected": "true"})
    events.until(lambda: [each for each in delivered(azureml_workspace, subscription) if each["attempts"] == 1])
    waiting = delivered(azureml_workspace, subscription)[0]
    assert waiting["status"] == "waiting after HTTP 403"  # the identity has no role yet
    azureml_workspace.azure.assign(SENDER, queue, topic["identity"]["principalId"])
    azureml_workspace.azure.advance(240)
    assert delivered(azureml_workspace, subscription)[0]["attempts"] == 1  # 403: after five minutes or more
    azureml_workspace.azure.advance(60)
    events.until(lambda: delivered(azureml_workspace, subscription)[0]["status"] == "delivered")
    got = events.messages(azureml_workspace, "GET", "drift/messages?peekonly=true")
    event = json.loads(base64.b64decode(str(events.first(got, "MessageText"))))
    assert event["topic"] == azureml_workspace.id
    assert event["eventType"] == events.STATUS_CHANGED
    assert event["data"]["runStatus"] == "Completed"
    assert event["data"]["runTags"] == {"drift_detected": "true"}
    assert event["subject"].endswith(f"/runs/{event['data']['runId']}")


def test_run_without_the_tag_matches_no_filter(
    azureml_workspace: Workspace, subscription: str, receiver: Receiver
) -> None:
    body = events.subscription(events.to_webhook(receiver.url))
    azureml_workspace.azure.put(subscription, body, events.EVENTS)
    events.finished_run(azureml_workspace)
    events.finished_run(azureml_workspace, {"drift_detected": "false"})
    events.finished_run(azureml_workspace, {"drift_detected": "true"})
    assert len(receiver.wait(1)) == 1
    assert len(delivered(azureml_workspace, subscription)) == 1


def test_webhook_is_validated_and_called_again_until_it_answers(
    azureml_workspace: Workspace, subscription: str, receiver: Receiver
) -> None:
    receiver.validates = False
    address = receiver.url.replace("://", "://user:secret@")
    body = events.subscription(events.to_webhook(f"{address}?code=secret"))
    with pytest.raises(AssertionError, match="validation handshake failed") as refused:
        azureml_workspace.azure.put(subscription, body, events.EVENTS)
    assert "secret" not in str(refused.value)
    receiver.validates = True
    made = azureml_workspace.azure.put(subscription, body, events.EVENTS)
    assert made["properties"]["destination"]["properties"] == {"endpointBaseUrl": receiver.url}
    full = azureml_workspace.azure.arm("POST", f"{subscription}/getFullUrl", {}, events.EVENTS).json()
    assert full == {"endpointUrl": f"{address}?code=secret"}
    receiver.statuses = [500, 503]
    events.finished_run(azureml_workspace, {"drift_detected": "true"})
    receiver.wait(1)
    for count in (2, 3):
        azureml_workspace.azure.advance(61)
        receiver.wait(count)
    assert receiver.got[0] == receiver.got[2]
    events.until(lambda: delivered(azureml_workspace, subscription)[0]["status"] == "delivered")


@pytest.mark.attack
def test_a_refused_change_leaves_the_webhook_that_confirmed(
    azureml_workspace: Workspace, subscription: str, receiver: Receiver
) -> None:
    """The address of the refused request was kept, to which events went without a confirmation."""
    azure = azureml_workspace.azure
    azure.put(subscription, events.subscription(events.to_webhook(receiver.url)), events.EVENTS)
    with listening() as other:
        wrong = events.subscription(events.to_webhook(other.url), retryPolicy={"maxDeliveryAttempts": 31})
        assert azure.arm("PUT", subscription, wrong, events.EVENTS).status_code == 400
        full = azure.arm("POST", f"{subscription}/getFullUrl", {}, events.EVENTS).json()
        assert full == {"endpointUrl": receiver.url}
        events.finished_run(azureml_workspace, {"drift_detected": "true"})
        receiver.wait(1)
        assert other.got == []


def test_a_queue_takes_over_from_a_webhook_that_is_gone(azureml_workspace: Workspace, subscription: str) -> None:
    azure = azureml_workspace.azure
    with listening() as gone:
        azure.put(subscription, events.subscription(events.to_webhook(gone.url)), events.EVENTS)
    events.queue(azureml_workspace, "instead")
    azure.put(subscription, events.subscription(events.to_queue(azureml_workspace, "instead")), events.EVENTS)
    assert azure.arm("POST", f"{subscription}/getFullUrl", {}, events.EVENTS).json() == {"endpointUrl": None}


def test_event_that_is_never_acknowledged_is_dropped_after_the_last_attempt(
    azureml_workspace: Workspace, subscription: str, receiver: Receiver
) -> None:
    retry = {"maxDeliveryAttempts": 2, "eventTimeToLiveInMinutes": 60}
    body = events.subscription(events.to_webhook(receiver.url), retryPolicy=retry)
    azureml_workspace.azure.put(subscription, body, events.EVENTS)
    receiver.statuses = [500] * 5
    events.finished_run(azureml_workspace, {"drift_detected": "true"})
    receiver.wait(1)
    azureml_workspace.azure.advance(11)
    events.until(lambda: delivered(azureml_workspace, subscription)[0]["status"].startswith("dropped"))
    assert len(receiver.got) == 2


def test_event_that_cannot_be_delivered_becomes_a_dead_letter(
    azureml_workspace: Workspace, topic: Json, subscription: str
) -> None:
    azure = azureml_workspace.azure
    events.queue(azureml_workspace, "closed")
    account = events.account(azureml_workspace)
    azure.put(f"{account}/blobServices/default/containers/dead-letters", {"properties": {}}, events.STORAGE)
    place = {"resourceId": account, "blobContainerName": "dead-letters"}
    dead = {
        "identity": {"type": "SystemAssigned"},
        "deadLetterDestination": {"endpointType": "StorageBlob", "properties": place},
    }
    retry = {"maxDeliveryAttempts": 1, "eventTimeToLiveInMinutes": 60}
    wanted = events.to_queue(azureml_workspace, "closed")
    body = events.subscription(wanted, deadLetterWithResourceIdentity=dead, retryPolicy=retry)
    azure.put(subscription, body, events.EVENTS)
    azure.assign("Storage Blob Data Contributor", account, topic["identity"]["principalId"])
    events.finished_run(azureml_workspace, {"drift_detected": "true"})
    events.until(lambda: [each for each in delivered(azureml_workspace, subscription) if each["attempts"]])
    ended = "dead-lettered: MaxDeliveryAttemptsExceeded"
    events.until(lambda: delivered(azureml_workspace, subscription)[0]["status"] == ended)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"filter": {"includedEventTypes": ["Microsoft.Storage.BlobCreated"]}}, "not an event type"),
        ({"filter": {"includedEventTypes": ["Microsoft.MachineLearningServices.ModelDeployed"]}}, "not raised"),
        (
            {"filter": {"advancedFilters": [{"operatorType": "Like", "key": "Subject", "values": ["x"]}]}},
            "operatorType",
        ),
        ({"filter": {"advancedFilters": [{"operatorType": "StringIn", "key": "data.a.b.c", "values": ["x"]}]}}, "key"),
        ({"filter": {"advancedFilters": [{"operatorType": "StringIn", "key": "Subject", "values": []}]}}, "values"),
        ({"retryPolicy": {"maxDeliveryAttempts": 31}}, "between 1 and 30"),
        ({"eventDeliverySchema": "CloudEventSchemaV1_0"}, "eventDeliverySchema"),
        ({"destination": {"endpointType": "AzureFunction"}}, "endpointType"),
        ({"destination": {"endpointType": "WebHook", "properties": {"endpointUrl": "http://example.com"}}}, "https"),
        ({"destination": None}, "either destination"),
    ],
)
def test_event_subscription_is_refused(azureml_workspace: Workspace, topic: Json, change: Json, said: str) -> None:
    body = events.subscription({**events.to_webhook("https://127.0.0.1/hook"), **change})
    body["properties"]["filter"] |= change.get("filter", {})
    path = f"{topic['id']}/eventSubscriptions/refused"
    answer = azureml_workspace.azure.arm("PUT", path, body, events.EVENTS)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_queue_that_does_not_exist_is_refused(azureml_workspace: Workspace, topic: Json) -> None:
    body = events.subscription(events.to_queue(azureml_workspace, "nowhere"))
    path = f"{topic['id']}/eventSubscriptions/nowhere"
    answer = azureml_workspace.azure.arm("PUT", path, body, events.EVENTS)
    assert (answer.status_code, "no queues 'nowhere'" in answer.text) == (400, True)


def test_workspace_has_one_system_topic(azureml_workspace: Workspace, topic: Json) -> None:
    second = f"{topic['id']}-2"
    body = {"location": "westeurope", "properties": topic["properties"]}
    answer = azureml_workspace.azure.arm("PUT", second, body, events.EVENTS)
    assert answer.status_code == 400
    assert "Only one system topic is allowed per source" in answer.json()["error"]["message"]


def test_queue_hides_expires_and_deletes_messages(azureml_workspace: Workspace) -> None:
    events.queue(azureml_workspace, "plain")
    text = "<QueueMessage><MessageText>hello</MessageText></QueueMessage>"
    assert events.messages(azureml_workspace, "POST", "plain/messages?messagettl=120", data=text).status_code == 201
    got = events.messages(azureml_workspace, "GET", "plain/messages?visibilitytimeout=60")
    assert events.first(got, "MessageText") == "hello"
    assert events.first(events.messages(azureml_workspace, "GET", "plain/messages"), "MessageId") is None
    azureml_workspace.azure.advance(61)
    again = events.messages(azureml_workspace, "GET", "plain/messages")
    assert events.first(again, "DequeueCount") == "2"
    place = f"plain/messages/{events.first(again, 'MessageId')}?popreceipt="
    old = events.messages(azureml_workspace, "DELETE", place + str(events.first(got, "PopReceipt")))
    assert (old.status_code, old.headers["x-ms-error-code"]) == (400, "PopReceiptMismatch")
    assert (
        events.messages(azureml_workspace, "DELETE", place + str(events.first(again, "PopReceipt"))).status_code == 204
    )
    events.messages(azureml_workspace, "POST", "plain/messages?messagettl=30", data=text)
    azureml_workspace.azure.advance(31)
    assert events.first(events.messages(azureml_workspace, "GET", "plain/messages"), "MessageId") is None


def test_queue_asks_for_the_role_of_the_operation(azureml_workspace: Workspace) -> None:
    queue = events.queue(azureml_workspace, "guarded")
    sender = azureml_workspace.azure.application((SENDER, queue))
    text = "<QueueMessage><MessageText>hello</MessageText></QueueMessage>"
    put = events.messages(azureml_workspace, "POST", "guarded/messages", data=text, credential=sender)
    assert put.status_code == 201
    got = events.messages(azureml_workspace, "GET", "guarded/messages", credential=sender)
    assert (got.status_code, got.headers["x-ms-error-code"]) == (403, "AuthorizationPermissionMismatch")
    reader = azureml_workspace.azure.application(("Storage Queue Data Message Processor", queue))
    got = events.messages(azureml_workspace, "GET", "guarded/messages", credential=reader)
    assert events.first(got, "MessageText") == "hello"
