"""Shared Key authorization: a request that is signed with an account's key.

Azurite checks it on unchanged requests. This module checks requests that amlite translates.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Iterable, Mapping

_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def permits(
    keys: Iterable[str], account: str, method: str, raw_path: str, headers: Mapping[str, str], authorization: str
) -> bool:
    """Whether the header `Authorization: SharedKey <account>:<signature>` was made with one of the (base64) keys.

    `raw_path` is the path with its query, as sent.
    """
    scheme, _, shown = authorization.partition(" ")
    name, _, signature = shown.partition(":")
    if scheme.lower() != "sharedkey" or name.lower() != account.lower():
        return False
    text = signed_text(account, method, raw_path, headers).encode()
    good = (base64.b64encode(hmac.digest(base64.b64decode(key), text, hashlib.sha256)).decode() for key in keys)
    return any(hmac.compare_digest(each.encode(), signature.encode()) for each in good)


def signed_text(account: str, method: str, raw_path: str, headers: Mapping[str, str]) -> str:
    """Return the string that a client signs for a request."""
    given = {name.lower(): value for name, value in headers.items()}
    if given.get("content-length") == "0":
        del given["content-length"]
    path, _, query = raw_path.partition("?")
    own = sorted((name, value) for name, value in given.items() if name.startswith("x-ms-"))
    parameters = sorted((name.lower(), value) for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True))
    return "".join(
        [
            f"{method}\n",
            *(f"{given.get(name, '')}\n" for name in _SIGNED_HEADERS),
            *(f"{name}:{value}\n" for name, value in own),
            f"/{account}{path}",
            *(f"\n{name}:{value}" for name, value in parameters),
        ]
    )
