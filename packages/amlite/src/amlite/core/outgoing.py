"""Requests that amlite's services send: to Azure's host names, which amlite answers itself, and to loopback.

Nothing leaves the machine. A service that calls another one by HTTP goes through the proxy and the other service's
checks, as in Azure.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from amlite.core.platform import Platform
from amlite.core.service import Services

_PIECE = 1 << 18
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class UnreachableError(Exception):
    """The receiver did not answer, or is not on this machine."""


@dataclass(frozen=True)
class Answer:
    """A receiver's answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


class TooLargeError(Exception):
    """An answer is larger than it may be."""


async def pieces(answer: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yield the parts of an answer's body. Raises TooLargeError as soon as they are larger than `most` bytes.

    Who sends it may be anybody's program, whose answer never ends.
    """
    length = 0
    async for piece in answer.content.iter_chunked(_PIECE):
        length += len(piece)
        if length > most:
            raise TooLargeError(f"the answer is larger than the limit of {most >> 20} MB")
        yield piece


async def content(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the body of an answer. Raises TooLargeError as soon as it is larger than `most` bytes."""
    return b"".join([piece async for piece in pieces(answer, most)])


@dataclass
class _Trust:
    """The TLS settings of requests to amlite's own hosts: they trust its own authority only."""

    context: ssl.SSLContext | None = None


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    target = _parsed(url)
    return target is not None and (target.host or "") in _LOOPBACK


def _parsed(url: str) -> URL | None:
    """Parse a URL as the client that sends the request. Return None if it is not one."""
    try:
        return URL(url)
    except ValueError:
        return None


async def send(
    platform: Platform,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    seconds: float = 30.0,
    most: int = 100 << 20,
) -> Answer:
    """Send a request and return the answer within some seconds, whatever its status. Raises UnreachableError.

    The answer has at most `most` bytes, by default as many as one to a workflow.
    """
    options: dict[str, object] = {}
    target = _parsed(url)
    if target is None:
        raise UnreachableError("the address is not a URL")
    # The query of a webhook or of a signed URL is a secret, and errors are logged.
    shown = str(target.with_query(None).with_fragment(None).with_user(None)) if target.absolute else target.path
    if not is_loopback(url):
        if not platform.part(Services).router.serves(target.host or ""):
            raise UnreachableError(f"{shown}: the host is neither this machine nor part of this local Azure")
        trust = platform.part(_Trust)
        trust.context = trust.context or ssl.create_default_context(cafile=platform.state / "certificates" / "ca.pem")
        options = {"proxy": platform.environment["HTTPS_PROXY"], "ssl": trust.context}
    try:
        async with platform.http.request(
            method,
            target,
            headers=headers,
            data=None if body is None else body.encode(),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
            **options,  # type: ignore[arg-type]
        ) as answer:
            text = (await content(answer, most)).decode(answer.charset or "utf-8", "replace")
            return Answer(answer.status, dict(answer.headers), text)
    except (aiohttp.ClientError, TimeoutError, TooLargeError, OSError, ValueError, LookupError) as error:
        told = str(error).replace(url, shown)
        raise UnreachableError(f"{shown}: {type(error).__name__} {told}".strip()) from error
