"""Shared access signatures that others stored: whether one opens a container."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qsl

from amlite.core.platform import Platform
from amlite.services.storage import blobs, delegation
from amlite.services.storage.blobs import BlobPath


async def opens(platform: Platform, target: BlobPath, token: str, verb: str) -> bool:
    """Whether a signature (a query string) is valid for a container, and permits to `read` or `write` there.

    The service of the account says whether it is valid: it does not know a blob, or it refuses.
    """
    raw = token.strip().lstrip("?")
    query = dict(parse_qsl(raw))
    container = BlobPath(target.account, target.container)
    if delegation.is_delegated(query):
        return delegation.permits(platform, "GET" if verb == "read" else "PUT", container, query)
    if "sig" not in query:
        return False
    nothing = container / str(uuid.uuid4())
    if verb == "write":
        # A policy of the container may have the rights, and everybody may read in a public one: only a write tells.
        async with await blobs.request(platform, "PUT", nothing, {"comp": "metadata"}, signature=raw) as answer:
            return answer.status == 404
    # One of the two needs only the right to read, and the other one only that to list.
    async with await blobs.request(platform, "HEAD", nothing, signature=raw) as answer:
        if answer.status == 404:
            return True
    listing = {"restype": "container", "comp": "list", "maxresults": "1"}
    async with await blobs.request(platform, "GET", container, listing, signature=raw) as answer:
        return answer.status == 200
