"""Relay requests to child processes over HTTP, and stream their responses back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager

from aiohttp import ClientError, ClientResponse, ClientTimeout, web
from multidict import CIMultiDict

from amlite.core import bodies
from amlite.core.errors import AzureError
from amlite.core.processes import Child

_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-authorization"}
_PIECE = 1 << 18


def passed(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers of a message without those of its connection."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_HEADERS)


@contextlib.asynccontextmanager
async def sent(
    child: Child,
    request: web.Request,
    raw_path: str,
    headers: Mapping[str, str],
    error: bodies.ErrorOf = AzureError,
    body: bytes | None = None,
) -> AsyncIterator[ClientResponse]:
    """Send a request to a child, with the given path and headers. Raises `error` for a body that breaks off.

    `body` is its body if it was read already.
    """
    try:
        async with _answered(child, request, raw_path, headers, error, body) as answer:
            yield answer
    except ClientError as problem:
        if isinstance(problem.__cause__, AzureError):
            raise problem.__cause__ from problem
        raise


def _answered(
    child: Child,
    request: web.Request,
    raw_path: str,
    headers: Mapping[str, str],
    error: bodies.ErrorOf,
    body: bytes | None,
) -> AbstractAsyncContextManager[ClientResponse]:
    return child.http.request(
        request.method,
        child.url(raw_path),
        headers=headers,
        data=bodies.pieces(request, error) if body is None and request.body_exists else body,
        allow_redirects=False,
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        skip_auto_headers=["Content-Type", "User-Agent", "Accept-Encoding"],
    )


async def stream(request: web.Request, upstream: ClientResponse, headers: Mapping[str, str]) -> web.StreamResponse:
    """Answer a request with a child's response and the given headers."""
    answer = web.StreamResponse(status=upstream.status, headers=headers)
    await answer.prepare(request)
    if request.method != "HEAD":
        async for piece in upstream.content.iter_chunked(_PIECE):
            await answer.write(piece)
    await answer.write_eof()
    return answer
