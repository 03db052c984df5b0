"""Messages of storage queues, in amlite's store: a message expires, and is invisible after it was received.

Source: the REST reference of Azure Queue Storage. Times follow amlite's clock.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from email.utils import format_datetime
from xml.etree import ElementTree as ET

from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.storage.access import StorageError

QUEUE_TYPE = "Microsoft.Storage/storageAccounts/queueServices/queues"
MOST_MESSAGES = 32
_MESSAGE = "storage/queue-messages"
_DEFAULT_TTL = 7 * 24 * 3600
_LONGEST_INVISIBLE = 7 * 24 * 3600


def put(platform: Platform, queue: Document, text: str, ttl: int | None, delay: int) -> Json:
    """Add a message. `ttl` is its time to live in seconds: -1 is for ever, and the default is a week."""
    if ttl is not None and ttl < 1 and ttl != -1:
        raise _out_of_range("messagettl", ttl)
    now = platform.clock.timestamp()
    seconds = _DEFAULT_TTL if ttl is None else ttl
    message: Json = {
        "id": str(uuid.uuid4()),
        "inserted": now,
        "expires": None if seconds == -1 else now + seconds,
        "count": 0,
        "text": text,
        **_hidden(now, delay),
    }
    platform.store.put(f"{queue.id}/messages/{message['id']}", _MESSAGE, message)
    return message


def receive(platform: Platform, queue: Document, count: int, visibility: int) -> list[Json]:
    """Return the next visible messages. They are invisible for `visibility` seconds."""
    if visibility < 1:
        raise _out_of_range("visibilitytimeout", visibility)
    found = []
    for document in list(_visible(platform, queue))[:count]:
        hidden = _hidden(platform.clock.timestamp(), visibility)
        message = {**document.body, **hidden, "count": document.body["count"] + 1}
        platform.store.put(document.id, _MESSAGE, message)
        found.append(message)
    return found


def peek(platform: Platform, queue: Document, count: int) -> list[Json]:
    """Return the next visible messages without making them invisible."""
    return [document.body for document in _visible(platform, queue)][:count]


def delete(platform: Platform, queue: Document, id: str, receipt: str) -> None:
    """Delete a message with the receipt of its last receiver. Raises StorageError 404 or 400."""
    document = platform.store.get(f"{queue.id}/messages/{id}")
    if document is None:
        raise StorageError(404, "MessageNotFound", "The specified message does not exist.")
    if document.body["receipt"] != receipt:
        raise StorageError(
            400,
            "PopReceiptMismatch",
            "The specified pop receipt did not match the pop receipt for a dequeued message.",
        )
    platform.store.delete(document.id)


def clear(platform: Platform, queue: Document) -> None:
    """Delete every message."""
    platform.store.delete(f"{queue.id}/messages")


def shown(messages: list[Json], *, receipts: bool, texts: bool) -> str:
    """Return messages in the service's XML."""
    root = ET.Element("QueueMessagesList")
    for message in messages:
        each = ET.SubElement(root, "QueueMessage")
        values = {"MessageId": message["id"], "InsertionTime": _stamp(message["inserted"])}
        values["ExpirationTime"] = _stamp(message["expires"] or 253402300799.0)
        if receipts:
            values |= {"PopReceipt": message["receipt"], "TimeNextVisible": _stamp(message["visible"])}
        if texts:
            values |= {"DequeueCount": str(message["count"]), "MessageText": message["text"]}
        for name, value in values.items():
            ET.SubElement(each, name).text = value
    return '<?xml version="1.0" encoding="utf-8"?>' + ET.tostring(root, encoding="unicode")


def _visible(platform: Platform, queue: Document) -> Iterator[Document]:
    now = platform.clock.timestamp()
    for document in platform.store.below(f"{queue.id}/messages", _MESSAGE):
        if document.body["expires"] is not None and document.body["expires"] <= now:
            platform.store.delete(document.id)
        elif document.body["visible"] <= now:
            yield document


def _hidden(now: float, seconds: int) -> Json:
    if not 0 <= seconds <= _LONGEST_INVISIBLE:
        raise _out_of_range("visibilitytimeout", seconds)
    return {"visible": now + seconds, "receipt": uuid.uuid4().hex}


def _out_of_range(name: str, value: int) -> StorageError:
    return StorageError(
        400,
        "OutOfRangeQueryParameterValue",
        f"One of the query parameters specified in the request URI is outside the permissible range: {name}={value}.",
    )


def _stamp(timestamp: float) -> str:
    return format_datetime(dt.datetime.fromtimestamp(timestamp, dt.UTC), usegmt=True)
