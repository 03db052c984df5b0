"""Blob batches: one request that contains several, each of which is checked and answered separately.

Format: https://learn.microsoft.com/rest/api/storageservices/blob-batch
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

_MOST = 256
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_REQUEST_LINE = re.compile(r"([A-Z]+) (/\S*) HTTP/1\.1")


@dataclass(frozen=True)
class Part:
    """One request of a batch. `target` is its path and query as sent. Header names are lower case."""

    content_id: str
    method: str
    target: str
    headers: dict[str, str]


Send = Callable[[Part], Awaitable[tuple[int, Mapping[str, str], str]]]


def parse(content_type: str, body: bytes) -> list[Part]:
    """Return the requests of a batch. ValueError for an invalid batch."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise ValueError("the content type names no boundary")
    texts = body.decode("utf-8").replace("\r\n", "\n").split(f"--{boundary[1]}")[1:-1]
    if not 0 < len(texts) <= _MOST:
        raise ValueError(f"a batch holds 1 to {_MOST} requests, this one {len(texts)}")
    return [_part(text) for text in texts]


async def answer(parts: list[Part], send: Send) -> web.Response:
    """Send each request and return their responses as one. `send` returns status, headers and body."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    lines = []
    for part in parts:
        status, headers, body = await send(part)
        lines += [f"--{boundary}", "Content-Type: application/http", f"Content-ID: {part.content_id}", ""]
        lines += [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            *(f"{k}: {v}" for k, v in headers.items()),
            "",
            body,
        ]
    text = "\r\n".join([*lines, f"--{boundary}--", ""])
    return web.Response(
        status=202, body=text.encode(), headers={"Content-Type": f"multipart/mixed; boundary={boundary}"}
    )


def _part(text: str) -> Part:
    envelope, _, request = text.strip("\n").partition("\n\n")
    first, *rest = request.strip("\n").split("\n")
    line = _REQUEST_LINE.fullmatch(first.strip())
    if line is None:
        raise ValueError(f"'{first.strip()}' is not a request line")
    return Part(_headers(envelope.split("\n")).get("content-id", ""), line[1], line[2], _headers(rest))


def _headers(lines: list[str]) -> dict[str, str]:
    """Return the headers in some lines. ValueError for a control character, which no request can have."""
    pairs = (line.partition(":") for line in lines if ":" in line)
    found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if wrong := next((name for name, value in found.items() if _CONTROL.search(name + value)), None):
        raise ValueError(f"the header {wrong!r} has a control character")
    return found
