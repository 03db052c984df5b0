"""The bodies of requests: the one place that limits their size, their time and their depth, and decodes them.

Resource Manager takes at most 4 MB. Source: the page "Azure subscription and service limits, quotas, and constraints".
The depth is the one at which .NET's readers stop, which Azure's control planes are written in.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import yaml
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from amlite.core.errors import AzureError

ErrorOf = Callable[[int, str, str], AzureError]

MOST_BYTES = 4 << 20
FORM_BYTES = 1 << 20
MOST_DEPTH = 64
_MOST_YAML_BYTES = 1 << 18
# libyaml, where PyYAML has it, is several times faster.
_YamlLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SILENT_SECONDS = 30.0
"""A client that sends nothing for so long in the middle of a body gets the status 408."""
_PIECE = 1 << 18
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HALF_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BROKEN = re.compile(r"[\x00\ud800-\udfff]")
_MOST_INTEGER = 1 << 64
# Longer ones take seconds: YAML has numbers of base 60.
_MOST_DIGITS = 1000
_NUMBER = re.compile(r"[-+.]?[0-9]")


def check_head(request: web.Request) -> None:
    """Raise AzureError 400 for an address or a header with characters that those of Azure cannot hold.

    A query can hold line breaks, as those of Log Analytics do.
    """
    if not all(value.isascii() for value in request.headers.values()) and any(
        _BROKEN.search(value) for value in request.headers.values()
    ):
        raise AzureError(400, "InvalidHeaderValue", "The value of a header is not UTF-8.")
    if not request.raw_path.startswith("/"):  # with a host, which would be a part of a child's address
        raise AzureError(400, "InvalidUri", "The request URL is invalid: it must begin with a slash.")
    address = f"{request.host}{request.path}{request.query_string}"
    if not address.isprintable() and (_CONTROL.search(request.path) or _BROKEN.search(address)):
        raise AzureError(400, "InvalidUri", "The request URL is invalid: it contains control characters or no UTF-8.")
    if _HALF_ENCODED.search(request.raw_path.partition("?")[0]):
        raise AzureError(400, "InvalidUri", "The request URL is invalid: a '%' in it encodes nothing.")


async def pieces(request: web.Request, error: ErrorOf = AzureError) -> AsyncIterator[bytes]:
    """Yield a body as it arrives. Raises the service's error 408 for a silent client, and 400 for broken framing."""
    content = request.content.iter_chunked(_PIECE)
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                piece = await anext(content, b"")
        except TimeoutError as silence:
            raise error(
                408,
                "RequestTimeout",
                f"The request body is incomplete: nothing arrived for {SILENT_SECONDS:g} seconds.",
            ) from silence
        except (web.RequestPayloadError, HttpProcessingError) as broken:
            raise error(400, "BadRequest", "The request body does not have the announced encoding.") from broken
        if not piece:
            return
        yield piece


async def read(request: web.Request, most: int = MOST_BYTES, error: ErrorOf = AzureError) -> bytes:
    """Return a whole body. Raises the service's error 413 as soon as it is larger than `most` bytes."""
    parts: list[bytes] = []
    left = most - (request.content_length or 0)
    if left >= 0:
        left = most
        async for piece in pieces(request, error):
            left -= len(piece)
            if left < 0:
                break
            parts.append(piece)
    if left < 0:
        raise error(413, "RequestBodyTooLarge", f"The request body is larger than the limit of {most} bytes.")
    return b"".join(parts)


async def form(request: web.Request, error: ErrorOf = AzureError) -> dict[str, str]:
    """Return the fields of an URL-encoded form. The last field of a name counts. Raises the service's error 400."""
    raw = await read(request, FORM_BYTES, error)
    try:
        return dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError as problem:
        raise error(400, "invalid_request", f"The form cannot be read: {problem}.") from problem


async def multipart(request: web.Request, most: int, error: ErrorOf = AzureError) -> dict[str, str | bytes]:
    """Return the fields of a form with files, in the form of bytes. Raises the service's error 400, 408 or 413."""
    fields: dict[str, str | bytes] = {}
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            for name, value in (await request.clone(client_max_size=most).post()).items():
                fields[name] = value.file.read() if isinstance(value, web.FileField) else str(value)
    except TimeoutError as silence:
        raise error(408, "RequestTimeout", f"The form was incomplete after {SILENT_SECONDS:g} seconds.") from silence
    except web.HTTPRequestEntityTooLarge as large:
        raise error(
            413, "RequestBodyTooLarge", f"The request body is larger than the limit of {most} bytes."
        ) from large
    except (ValueError, AssertionError, web.RequestPayloadError, HttpProcessingError) as broken:
        raise error(400, "BadRequest", "The body is not a form in the announced encoding.") from broken
    return fields


def parse(raw: bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError for what Azure's readers refuse, with the reason.

    Python's own reader also takes `NaN`, halves of surrogate pairs and any depth.
    """
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse, parse_float=_number, parse_int=_integer)
    except RecursionError as error:
        raise _too_deep() from error
    for text in _texts(value):
        if "\0" in text:
            raise ValueError("text with the character U+0000")
        if not text.isascii():
            text.encode()  # UnicodeEncodeError, a ValueError, for half a surrogate pair
    return value


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return a JSON object ({} for an empty body); raises ValueError for anything else."""
    value = parse(raw) if raw else {}
    if not isinstance(value, dict):
        raise ValueError("the content must be a JSON object")
    return value


def parse_yaml_object(raw: bytes) -> dict[str, Any]:
    """Return an object of YAML that JSON could hold too; raises ValueError for anything else, and for aliases."""
    try:
        return parse_object(raw)  # most clients send JSON, which is YAML too
    except ValueError:
        pass
    try:
        return parse_object(json.dumps(read_yaml(raw)).encode())
    except TypeError as error:
        raise ValueError(f"the content is not YAML that JSON could hold: {error}") from error


def read_yaml(text: bytes | str) -> Any:
    """Return the value of a YAML text that others wrote, such as a job. Raises ValueError, with the reason.

    It refuses what takes long or much memory: large texts, deep ones, and aliases, by which a short text stands for a
    huge value.
    """
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > _MOST_YAML_BYTES:
        raise ValueError(f"the YAML is larger than the limit of {_MOST_YAML_BYTES} bytes")
    depth = 0
    try:
        events: Iterator[Any] = yaml.parse(raw, Loader=_YamlLoader)
        for event in events:
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("aliases are not accepted in the YAML")
            if isinstance(event, yaml.ScalarEvent) and len(event.value) > _MOST_DIGITS and _NUMBER.match(event.value):
                raise ValueError(f"a number in the YAML has more than {_MOST_DIGITS} characters")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise _too_deep()
        return yaml.load(raw, Loader=_YamlLoader)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        raise ValueError(f"the content is not valid YAML: {error}") from error


def _texts(value: Any) -> Iterator[str]:
    """Yield every key and text of a value. Raises ValueError if it is nested too deeply."""
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                yield each
            elif isinstance(each, dict):
                yield from each
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"the content is nested more than {MOST_DEPTH} levels deep")


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"'{text}' is not a JSON value")


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > _MOST_INTEGER:
        raise ValueError(f"the number {text[:40]} is too large")
    return value
