"""Azurite as a child process: started on first use, told of every account, reached only by amlite."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import os
import urllib.parse

from amlite.children import Child, tool
from amlite.errors import StartError
from amlite.platform import Platform

NAME = "azurite"
_KEYS_TYPE = "storage/keys"
_SAS_VERSION = "2019-12-12"


async def ensure(platform: Platform) -> Child:
    """Return the running Azurite, which serves every storage account there is now."""
    accounts = _accounts(platform)
    started_with = platform.parts.get(NAME)
    if started_with is not None and started_with != accounts:
        # Azurite learns its accounts at its start only.
        await platform.children.stop(NAME)
    platform.parts[NAME] = accounts
    binary = tool("azurite-blob")
    if binary is None:
        raise StartError("Azurite is not installed (azurite-blob is not in .venv/bin); run: make setup")
    folder = platform.state / "azurite"
    folder.mkdir(exist_ok=True, mode=0o700)
    return await platform.children.ensure(
        NAME,
        lambda port: [
            binary,
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


async def remove(platform: Platform, account: str) -> None:
    """Delete what an account holds."""
    keys = platform.store.get(f"{_KEYS_TYPE}/{account}")
    if keys is None:
        return
    child = await ensure(platform)

    def delete_containers() -> None:
        from azure.storage.blob import BlobServiceClient

        credential = {"account_name": account, "account_key": keys.body["key1"]}
        with BlobServiceClient(f"http://127.0.0.1:{child.port}/{account}", credential=credential) as client:
            for container in client.list_containers():
                client.delete_container(container.name)

    await asyncio.to_thread(delete_containers)


def account_sas(platform: Platform, account: str) -> str:
    """Return a shared access signature for all of an account, good for a day (cached for an hour)."""
    now = dt.datetime.now(dt.UTC)
    cached: tuple[dt.datetime, str] | None = platform.parts.get(f"{NAME}/sas/{account}")
    if cached and cached[0] > now:
        return cached[1]
    keys = platform.store.get(f"{_KEYS_TYPE}/{account}")
    if keys is None:
        raise KeyError(account)
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
    # Signed here and not by azure-storage-blob: importing that takes the event loop's time for over a second.
    text = "\n".join([account, *values.values(), ""])
    digest = hmac.digest(base64.b64decode(keys.body["key1"]), text.encode(), hashlib.sha256)
    signed = {name: value for name, value in values.items() if value} | {"sig": base64.b64encode(digest).decode()}
    sas = urllib.parse.urlencode(signed)
    platform.parts[f"{NAME}/sas/{account}"] = (now + dt.timedelta(hours=1), sas)
    return sas


def _accounts(platform: Platform) -> str:
    keys = [doc.body for doc in platform.store.of_type(_KEYS_TYPE)]
    return ";".join(f"{entry['account']}:{entry['key1']}:{entry['key2']}" for entry in keys)
