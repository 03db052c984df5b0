"""The queue endpoint `<account>.queue.core.windows.net`: messages of queues that ARM made. Callers have a token.

It does not serve the account's keys, updates of messages, and metadata.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from aiohttp import web

from amlite.core.routing import Call, Routes
from amlite.core.store import Document
from amlite.services.storage import accounts, queues
from amlite.services.storage.access import StorageError, principal_of

routes = Routes("*.queue.core.windows.net", audiences=None, error=StorageError)
_MESSAGES = f"{queues.QUEUE_TYPE}/messages"
_INVISIBLE_SECONDS = 30
_MOST_BYTES = 1 << 17  # a message has at most 64 KiB


@routes.post("/{queue}/messages")
async def put_message(call: Call) -> web.Response:
    """Add a message."""
    _queue(call, "add/action", "write")  # a stranger sends no body
    raw = await call.read(_MOST_BYTES)
    queue = _queue(call, "add/action", "write")
    try:
        text = ET.fromstring(raw).findtext("MessageText")  # noqa: S314 - stdlib expands nothing external
    except ET.ParseError as error:
        raise StorageError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from error
    if text is None:
        raise StorageError(400, "InvalidXmlDocument", "The message has no MessageText.")
    ttl = call.number("messagettl", -2, -2)
    message = queues.put(call.platform, queue, text, None if ttl == -2 else ttl, call.number("visibilitytimeout", 0))
    return _answer(queues.shown([message], receipts=True, texts=False), 201)


@routes.get("/{queue}/messages")
async def get_messages(call: Call) -> web.Response:
    """Receive the next messages, or look at them."""
    looks = call.query.get("peekonly", "").lower() == "true"
    queue = _queue(call, "read") if looks else _queue(call, "process/action")
    count = call.number("numofmessages", 1)
    if not 1 <= count <= queues.MOST_MESSAGES:
        raise StorageError(
            400, "OutOfRangeQueryParameterValue", f"numofmessages must be between 1 and {queues.MOST_MESSAGES}."
        )
    if looks:
        return _answer(queues.shown(queues.peek(call.platform, queue, count), receipts=False, texts=True))
    found = queues.receive(call.platform, queue, count, call.number("visibilitytimeout", _INVISIBLE_SECONDS))
    return _answer(queues.shown(found, receipts=True, texts=True))


@routes.delete("/{queue}/messages/{message}")
async def delete_message(call: Call) -> web.Response:
    """Delete a message that the caller received."""
    queue = _queue(call, "process/action", "delete")
    queues.delete(call.platform, queue, call.parameters["message"], call.query.get("popreceipt", ""))
    return web.Response(status=204)


@routes.delete("/{queue}/messages")
async def clear_messages(call: Call) -> web.Response:
    """Delete every message."""
    queues.clear(call.platform, _queue(call, "delete"))
    return web.Response(status=204)


def _queue(call: Call, *verbs: str) -> Document:
    """Return the queue of a call. Raises StorageError 401, 403 or 404 unless the caller's roles have one of `verbs`."""
    account = call.host.partition(".")[0]
    keys = accounts.keys_of(call.platform, account)
    if keys is None:
        raise StorageError(404, "ResourceNotFound", f"The storage account '{account}' does not exist.")
    if call.bearer is None:
        raise StorageError(401, "NoAuthenticationInformation", "Queues of this local Azure take tokens only.")
    who = principal_of(call.platform, call.bearer)
    scope = f"{keys['id']}/queueServices/default/queues/{call.parameters['queue']}"
    if not any(call.platform.access.allowed(who, scope, f"{_MESSAGES}/{verb}", data=True) for verb in verbs):
        raise StorageError(
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        )
    document = call.platform.store.get(scope)
    if document is None:
        raise StorageError(404, "QueueNotFound", "The specified queue does not exist.")
    return document


def _answer(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/xml")
