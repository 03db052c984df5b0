"""Azurite as a child process. It restarts at the first use of each account. Only amlite connects to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import os
import secrets
import urllib.parse
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.core.processes import Child
from amlite.core.wire import Json
from amlite.services.storage.accounts import KEYS_TYPE, keys_of
from amlite.tools import azurite

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

NAME = "azurite"
# Azurite's tables: of the blobs, and of the files with their content.
_TABLES = ("__azurite_db_blob__.json", "__azurite_db_blob_extent__.json")
_SAS_VERSION = "2019-12-12"
# A restart waits this long for the answers to requests. A caller can read a long one as slowly as it likes.
_PATIENCE_SECONDS = 10.0
_DURABLE = Path(__file__).with_name("durable.js")


@dataclass
class _Azurite:
    """The state of the child: the accounts it was started with, and a signature with its expiry for each key.

    `requests` is the number of requests that wait for an answer, and `idle` is set while there are none.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    requests: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    started_with: frozenset[str] | None = None
    signatures: dict[str, tuple[dt.datetime, str]] = field(default_factory=dict)


async def ensure(platform: Platform, account: str | None = None) -> Child:
    """Return the running Azurite, which serves `account` if the account exists."""
    # One at a time: a request during a restart for a new account would start it without that account.
    known = platform.part(_Azurite)
    async with known.lock:
        return await _ensure(platform, known, account)


@contextlib.asynccontextmanager
async def used(platform: Platform, account: str) -> AsyncIterator[Child]:
    """Give the running Azurite, which serves `account`. It restarts for no other account before the block ends."""
    known = platform.part(_Azurite)
    child = await ensure(platform, account)
    known.requests += 1
    known.idle.clear()
    try:
        yield child
    finally:
        known.requests -= 1
        if not known.requests:
            known.idle.set()


async def _ensure(platform: Platform, known: _Azurite, account: str | None) -> Child:
    keys = keys_of(platform, account) if account else None
    if known.started_with is None or (keys is not None and _entry(keys) not in known.started_with):
        if known.started_with is not None:
            # Azurite reads its accounts only when it starts. A write that it ends could have been done: a client that
            # repeats it would find what it has written itself.
            if known.requests:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(known.idle.wait(), _PATIENCE_SECONDS)
            await platform.children.stop(NAME)
        known.started_with = frozenset(_entry(each.body) for each in platform.store.of_type(KEYS_TYPE))
    # Without an account, Azurite has one whose key everybody knows.
    accounts = ";".join(sorted(known.started_with)) or f"none:{base64.b64encode(secrets.token_bytes(64)).decode()}"
    node, script = azurite.command(await azurite.TOOL.ensure())
    folder = platform.state / "azurite"
    folder.mkdir(exist_ok=True, mode=0o700)
    if not platform.children.is_running(NAME):
        _check(folder)
    return await platform.children.ensure(
        NAME,
        lambda port: [
            node,
            "--require",
            _DURABLE,
            script,
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            str(port),
            "--location",
            folder,
            "--loose",
            "--skipApiVersionCheck",
            "--silent",
            "--disableTelemetry",
        ],
        environment={**os.environ, "AZURITE_ACCOUNTS": accounts},
    )


def _check(folder: Path) -> None:
    """Raise StartError if Azurite's tables are lost or cut off: Azurite would begin with no blobs, or not at all."""
    for name in _TABLES:
        table = folder / name
        if not table.exists():
            is_lost = name == _TABLES[0] and any((folder / "__blobstorage__").glob("*"))
        else:
            with table.open("rb") as file:
                first = file.read(1)
                file.seek(-min(1, table.stat().st_size), os.SEEK_END)
                is_lost = (first, file.read(1)) != (b"{", b"}")
        if is_lost:
            raise StartError(
                f"{table} is lost or cut off, and so are the names of the blobs. Put a backup of {folder} there, or "
                "forget this local Azure with: amlite reset"
            )


async def remove(platform: Platform, account: str) -> None:
    """Delete the contents of an account."""
    keys, started_with = keys_of(platform, account), platform.part(_Azurite).started_with
    if keys is None or (started_with is not None and not any(each.startswith(f"{account}:") for each in started_with)):
        return  # Azurite does not have the account, so it is empty

    def delete_containers(client: BlobServiceClient) -> None:
        for container in client.list_containers():
            client.delete_container(container.name)

    await _by_key(platform, keys, delete_containers)


async def set_public_access(platform: Platform, account: str, container: str, level: str | None) -> None:
    """Let anybody read a container (`container`), only its `blob`s, or nothing. Its access policies stay.

    No signature permits this.
    """

    def set_level(client: BlobServiceClient) -> None:
        place = client.get_container_client(container)
        policies = place.get_container_access_policy()["signed_identifiers"]
        place.set_container_access_policy({each.id: each.access_policy for each in policies}, public_access=level)

    if (keys := keys_of(platform, account)) is not None:
        await _by_key(platform, keys, set_level)


async def _by_key(platform: Platform, keys: Json, work: Callable[[BlobServiceClient], None]) -> None:
    """Run work in a thread, with a client that has the key of an account."""
    account = keys["account"]
    child = await ensure(platform, account)

    def run() -> None:
        from azure.storage.blob import BlobServiceClient

        credential = {"account_name": account, "account_key": keys["key1"]}
        with BlobServiceClient(f"http://127.0.0.1:{child.port}/{account}", credential=credential) as client:
            work(client)

    await asyncio.to_thread(run)


def account_sas(platform: Platform, account: str) -> str:
    """Return a shared access signature for a whole account. It is valid for a day and cached for an hour."""
    now = dt.datetime.now(dt.UTC)
    keys = keys_of(platform, account)
    if keys is None:
        raise KeyError(account)
    # By the key, because an account that was deleted and created again has another one.
    signatures = platform.part(_Azurite).signatures
    cached = signatures.get(keys["key1"])
    if cached and cached[0] > now:
        return cached[1]
    values = {
        "sp": "rwdlacupt",
        "ss": "b",
        "srt": "sco",
        "st": "",
        "se": (now + dt.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sip": "",
        "spr": "",
        "sv": _SAS_VERSION,
    }
    # Signed without azure-storage-blob, because its import would block the event loop for over a second.
    text = "\n".join([account, *values.values(), ""])
    digest = hmac.digest(base64.b64decode(keys["key1"]), text.encode(), hashlib.sha256)
    signed = {name: value for name, value in values.items() if value} | {"sig": base64.b64encode(digest).decode()}
    sas = urllib.parse.urlencode(signed)
    signatures[keys["key1"]] = (now + dt.timedelta(hours=1), sas)
    return sas


def _entry(keys: Json) -> str:
    return f"{keys['account']}:{keys['key1']}:{keys['key2']}"
