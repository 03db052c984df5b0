"""Shared access signatures of amlite's services, in the form of a user delegation SAS.

Such a signature is not made with an account key, so it also works on accounts that refuse keys. amlite signs it with
its own key, checks it, and forwards the request with a signature that Azurite accepts.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets
import urllib.parse
from collections.abc import Mapping

from amlite import TENANT_ID
from amlite.core.platform import Platform
from amlite.services.storage.accounts import keys_of
from amlite.services.storage.blobs import BlobPath

_KEY = "storage/delegation-key"
_SEALED = "storage/sealed"
_SIGNED = ("sv", "sr", "sp", "st", "se", "skoid", "sktid", "skt", "ske", "sks", "skv")
_VERSION = "2023-11-03"
_LONGEST = dt.timedelta(days=7)
# The permissions that allow a request: one of these letters in `sp`.
_NEEDED = {"GET": "r", "HEAD": "r", "PUT": "wca", "DELETE": "d"}


def sign(platform: Platform, target: BlobPath, permissions: str, lifetime: dt.timedelta = dt.timedelta(hours=1)) -> str:
    """Return a signature (a query string) for a container, or for one blob when `target` has a path.

    `permissions` are the letters of the blob service (`r`ead, `a`dd, `c`reate, `w`rite, `d`elete, `l`ist). It is valid
    for `lifetime` of real time, at most seven days.
    """
    now = dt.datetime.now(dt.UTC)
    begin, end = now - dt.timedelta(minutes=5), now + min(lifetime, _LONGEST)
    values = {
        "sv": _VERSION,
        "sr": "b" if target.path else "c",
        "sp": permissions,
        "st": _time(begin),
        "se": _time(end),
        "skoid": _key(platform)[1],
        "sktid": TENANT_ID,
        "skt": _time(begin),
        "ske": _time(end),
        "sks": "b",
        "skv": _VERSION,
    }
    values["sig"] = _signature(platform, target, values)
    return urllib.parse.urlencode(values)


def url(platform: Platform, target: BlobPath, permissions: str, lifetime: dt.timedelta = dt.timedelta(hours=1)) -> str:
    """Return the address of a container or blob with its signature."""
    return f"{target.url.rstrip('/')}?{sign(platform, target, permissions, lifetime)}"


def is_delegated(query: Mapping[str, str]) -> bool:
    """Whether a request carries a user delegation signature."""
    return "skoid" in query and "sig" in query


def seal(platform: Platform, container: BlobPath) -> None:
    """Let no signature write to a container any more, also none that is valid still."""
    platform.store.put(f"{_SEALED}/{container.account}/{container.container}", _SEALED, {})


def forget(platform: Platform, account: str) -> None:
    """Forget which containers of an account are sealed: another one may get its name."""
    platform.store.delete(f"{_SEALED}/{account}")


def permits(platform: Platform, method: str, target: BlobPath, query: Mapping[str, str]) -> bool:
    """Whether the signature in `query` is amlite's, has not expired, and allows this request on `target`."""
    if any(name not in query for name in _SIGNED):
        return False
    scope = target if query["sr"] == "b" else BlobPath(target.account, target.container)
    if not hmac.compare_digest(_signature(platform, scope, query).encode(), query.get("sig", "").encode()):
        return False
    now = _time(dt.datetime.now(dt.UTC))
    if not query["st"] <= now < query["se"]:
        return False
    reads = method in ("GET", "HEAD")
    needed = "l" if reads and query.get("comp") == "list" else _NEEDED.get(method, "w")
    if not reads and platform.store.get(f"{_SEALED}/{target.account}/{target.container}") is not None:
        return False
    on_container = query.get("restype") == "container" and not reads
    return not on_container and any(letter in query["sp"] for letter in needed)


def without_signature(raw_query: str) -> str:
    """Return a raw query string without its signature's parameters."""
    dropped = (*_SIGNED, "sig")
    return "&".join(part for part in raw_query.split("&") if part and part.partition("=")[0] not in dropped)


def _signature(platform: Platform, target: BlobPath, values: Mapping[str, str]) -> str:
    # With the account's key: of an account that is deleted, no signature opens the next one of its name.
    key = (keys_of(platform, target.account) or {}).get("key1", "")
    text = "\n".join([target.account, key, target.container, target.path, *(values[name] for name in _SIGNED)])
    return base64.b64encode(hmac.digest(_key(platform)[0], text.encode(), hashlib.sha256)).decode()


def _key(platform: Platform) -> tuple[bytes, str]:
    saved = platform.store.get(_KEY)
    if saved is None:
        saved = platform.store.put(_KEY, "storage", {"key": secrets.token_hex(32), "holder": secrets.token_hex(16)})
    return bytes.fromhex(saved.body["key"]), saved.body["holder"]


def _time(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
