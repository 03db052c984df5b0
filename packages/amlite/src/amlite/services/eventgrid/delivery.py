"""Publication of a workspace's events, and their delivery: at least once, with retries, then to the dead letters."""

from __future__ import annotations

import base64
import json
import re
import secrets
import uuid
from urllib.parse import quote
from xml.sax.saxutils import escape

from amlite.core import outgoing
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.eventgrid import filters
from amlite.services.managedidentity import system_assigned
from amlite.services.monitoring import counters

TOPIC_TYPE = "Microsoft.EventGrid/systemTopics"
SUBSCRIPTION_TYPE = f"{TOPIC_TYPE}/eventSubscriptions"
DELIVER = "eventgrid.deliver"
DELIVERY_TYPE = "eventgrid/deliveries"
_URL_TYPE = "eventgrid/urls"
_STORAGE = "https://storage.azure.com"
# Seconds before each new attempt.
_RETRIES = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)
# Statuses that Event Grid waits longer for, and those that no retry can mend.
_SLOWER = {400: 300, 401: 300, 403: 300, 404: 300, 408: 120, 503: 30}
_HOPELESS = (400, 413)
# Events can wait for many webhooks at once, whose answers are in memory.
_MOST_ANSWER = 1 << 20


def remember_url(platform: Platform, subscription_id: str, url: str | None) -> None:
    """Store the whole URL of a subscription's webhook, which has not confirmed. None if it delivers to a queue."""
    if url is None:
        platform.store.delete(f"{_URL_TYPE}{subscription_id}")
    else:
        platform.store.put(f"{_URL_TYPE}{subscription_id}", _URL_TYPE, {"url": url, "confirmed": False})


def confirm(platform: Platform, subscription_id: str, url: str) -> None:
    """Note that a webhook wants the events of a subscription, unless that has another one meanwhile."""
    if url_of(platform, subscription_id) == url:
        platform.store.put(f"{_URL_TYPE}{subscription_id}", _URL_TYPE, {"url": url, "confirmed": True})


def _confirmed(platform: Platform, subscription_id: str) -> str | None:
    document = platform.store.get(f"{_URL_TYPE}{subscription_id}")
    # Earlier versions of amlite did not write it.
    return str(document.body["url"]) if document and document.body.get("confirmed", True) else None


def url_of(platform: Platform, subscription_id: str) -> str | None:
    """Return the whole URL of a subscription's webhook. Return None if it delivers to a queue."""
    document = platform.store.get(f"{_URL_TYPE}{subscription_id}")
    return str(document.body["url"]) if document else None


def base(url: str) -> str:
    """Return the part of a webhook's URL that readers may see: without the query, and without a password."""
    return re.sub(r"(?<=://)[^/]*@", "", re.split(r"[?#]", url, maxsplit=1)[0])


def is_source(platform: Platform, workspace_id: str) -> bool:
    """Whether a workspace has a system topic."""
    return any(_topics(platform, workspace_id))


def _topics(platform: Platform, workspace_id: str) -> list[Document]:
    topics = platform.store.of_type(TOPIC_TYPE)
    return [each for each in topics if each.body["properties"]["source"].lower() == workspace_id.lower()]


def publish(platform: Platform, workspace_id: str, kind: str, subject: str, data: Json) -> None:
    """Publish an event of a workspace to the subscriptions that it matches."""
    for topic in _topics(platform, workspace_id):
        event = _event(platform, topic.body["properties"]["source"], kind, subject, data)
        counters.record(platform, topic.id, "PublishSuccessCount")
        matched = [
            each
            for each in platform.store.below(topic.id, SUBSCRIPTION_TYPE)
            if _state(each) not in ("Creating", "Failed") and filters.matches(each.body["properties"]["filter"], event)
        ]
        if not matched:
            counters.record(platform, topic.id, "UnmatchedEventCount")
        for subscription in matched:
            _count(platform, subscription, "MatchedEventCount")
            key = f"{DELIVERY_TYPE}/{uuid.uuid4()}"
            record = {
                "subscription": subscription.id,
                "event": event,
                "published": platform.clock.stamp(),
                "since": platform.clock.timestamp(),
                "attempts": 0,
                "status": "waiting",
            }
            platform.store.put(key, DELIVERY_TYPE, record)
            platform.operations.begin(DELIVER, {"delivery": key}, resource_id=subscription.id)


def _event(platform: Platform, topic: str, kind: str, subject: str, data: Json) -> Json:
    return {
        "topic": topic,
        "subject": subject,
        "eventType": kind,
        "eventTime": platform.clock.stamp(),
        "id": str(uuid.uuid4()),
        "data": data,
        "dataVersion": "1.0",
        "metadataVersion": "1",
    }


async def deliver(platform: Platform, arguments: Json) -> None:
    """Deliver an event until it is acknowledged, or until the subscription's attempts or time are used up."""
    while (document := platform.store.get(arguments["delivery"])) is not None:
        record = document.body
        subscription = platform.store.get(record["subscription"])
        if subscription is None:
            _set(platform, document, status="dropped: the subscription is gone")
            return
        status = await _attempt(platform, subscription, [record["event"]])
        attempts = record["attempts"] + 1
        outcome = f"HTTP {status}" if status else "no answer"
        if status in range(200, 205):
            _count(platform, subscription, "DeliverySuccessCount")
            _set(platform, document, status="delivered", attempts=attempts)
            return
        _count(platform, subscription, "DeliveryAttemptFailCount")
        _set(platform, document, status=f"waiting after {outcome}", attempts=attempts, outcome=outcome)
        retry = subscription.body["properties"]["retryPolicy"]
        pause = max(_RETRIES[min(attempts, len(_RETRIES)) - 1], _SLOWER.get(status, 0))
        expired = platform.clock.timestamp() + pause - record["since"] > retry["eventTimeToLiveInMinutes"] * 60
        dead = bool(subscription.body["properties"].get("deadLetterWithResourceIdentity"))
        if attempts >= retry["maxDeliveryAttempts"] or expired or (dead and status in _HOPELESS):
            reason = "TimeToLiveExceeded" if expired else "MaxDeliveryAttemptsExceeded"
            await _give_up(platform, subscription, document, reason, attempts, outcome)
            return
        await platform.clock.sleep(pause)


async def _attempt(platform: Platform, subscription: Document, events: list[Json]) -> int:
    """Send events to a subscription's destination and return the status, 0 for no answer.

    A webhook that did not confirm that it wants the events gets none: anybody's address can be in a subscription.
    """
    properties = subscription.body["properties"]
    if _state(subscription) != "Succeeded":
        return 0
    try:
        if "deliveryWithResourceIdentity" not in properties:
            headers = {"Content-Type": "application/json", "aeg-event-type": "Notification"}
            # Two changes can be under way: the state says only that one of them has ended.
            if (url := _confirmed(platform, subscription.id)) is None:
                return 0
            sent = outgoing.send(platform, "POST", url, headers=headers, body=json.dumps(events), most=_MOST_ANSWER)
            return (await sent).status
        destination = properties["deliveryWithResourceIdentity"]["destination"]["properties"]
        text = base64.b64encode(json.dumps(events[0]).encode()).decode()
        ttl = destination.get("queueMessageTimeToLiveInSeconds")
        url = f"https://{destination['resourceId'].rpartition('/')[2]}.queue.core.windows.net/{destination['queueName']}/messages"
        return (
            await outgoing.send(
                platform,
                "POST",
                url + (f"?messagettl={int(ttl)}" if ttl else ""),
                headers=_signed_in(platform, subscription),
                body=f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>",
            )
        ).status
    except outgoing.UnreachableError:
        return 0


def _state(subscription: Document) -> str:
    return str(subscription.body["properties"]["provisioningState"])


async def _give_up(
    platform: Platform, subscription: Document, document: Document, reason: str, attempts: int, outcome: str
) -> None:
    dead = subscription.body["properties"].get("deadLetterWithResourceIdentity")
    if not dead:
        _count(platform, subscription, "DroppedEventCount")
        _set(platform, document, status=f"dropped: {reason}")
        return
    place = dead["deadLetterDestination"]["properties"]
    now, event = platform.clock.now(), document.body["event"]
    name = (
        f"{subscription.id.split('/')[-3]}/{subscription.body['name'].upper()}/{now:%Y/%-m/%-d/%-H}/{event['id']}.json"
    )
    content = {
        **event,
        "deadLetterReason": reason,
        "deliveryAttempts": attempts,
        "lastDeliveryOutcome": outcome,
        "publishTime": document.body["published"],
        "lastDeliveryAttemptTime": platform.clock.stamp(),
    }
    account = place["resourceId"].rpartition("/")[2]
    headers = {**_signed_in(platform, subscription), "x-ms-blob-type": "BlockBlob"}
    try:
        answer = await outgoing.send(
            platform,
            "PUT",
            f"https://{account}.blob.core.windows.net/{place['blobContainerName']}/{quote(name)}",
            headers=headers,
            body=json.dumps([content]),
        )
        kept = answer.ok
    except outgoing.UnreachableError:
        kept = False
    _count(platform, subscription, "DeadLetteredCount" if kept else "DroppedEventCount")
    _set(platform, document, status=f"{'dead-lettered' if kept else 'dropped'}: {reason}")


async def validate(platform: Platform, resource_id: ResourceId) -> None:
    """Ask a webhook to return a code, as Event Grid does before it sends events. Raises AzureError 400."""
    url = url_of(platform, str(resource_id))
    if url is None:
        return
    code = secrets.token_hex(16)
    topic = str(resource_id.parent)
    event = _event(platform, topic, "Microsoft.EventGrid.SubscriptionValidationEvent", "", {"validationCode": code})
    headers = {"Content-Type": "application/json", "aeg-event-type": "SubscriptionValidation"}
    reason = ""
    try:
        text = json.dumps([event])
        answer = await outgoing.send(platform, "POST", url, headers=headers, body=text, most=_MOST_ANSWER)
        told = json.loads(answer.text) if answer.status == 200 else None
        if isinstance(told, dict) and told.get("validationResponse") == code:
            confirm(platform, str(resource_id), url)
        else:
            reason = f"Http POST request returned {answer.status} without the validation code"
    except (outgoing.UnreachableError, ValueError, RecursionError) as error:
        reason = f"Http POST request failed: {error}"
    if reason:
        raise AzureError(
            400,
            "Url validation",
            f"Webhook validation handshake failed for {base(url)}. {reason}. For troubleshooting, visit "
            "https://aka.ms/esvalidation.",
        )


async def forget(platform: Platform, resource_id: ResourceId) -> None:
    """Forget the URL and the deliveries of a subscription that is deleted."""
    platform.store.delete(f"{_URL_TYPE}{resource_id}")
    for document in list(platform.store.of_type(DELIVERY_TYPE)):
        if document.body["subscription"].lower() == str(resource_id).lower():
            platform.store.delete(document.id)


def _signed_in(platform: Platform, subscription: Document) -> dict[str, str]:
    topic = platform.store.get(str(ResourceId.of(subscription.id).parent))
    token = system_assigned.token(platform, topic.body if topic else {"name": subscription.id}, _STORAGE)
    return {"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03"}


def _count(platform: Platform, subscription: Document, metric: str) -> None:
    topic = str(ResourceId.of(subscription.id).parent)
    counters.record(platform, topic, metric, {"EventSubscriptionName": subscription.body["name"]})


def _set(platform: Platform, document: Document, **values: object) -> None:
    document.body.update(values)
    platform.store.put(document.id, DELIVERY_TYPE, document.body)
