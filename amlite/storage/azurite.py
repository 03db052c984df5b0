"""Azurite as a child process: started on first use, told of every account, reached only by amlite."""

from __future__ import annotations

import asyncio
import datetime as dt
import os

from amlite.children import Child, tool
from amlite.errors import StartError
from amlite.platform import Platform

NAME = "azurite"
_KEYS_TYPE = "storage/keys"


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
        ],  # fmt: skip
        environment={**os.environ, "AZURITE_ACCOUNTS": accounts},
    )


async def refresh(platform: Platform) -> None:
    """Make Azurite serve an account that was just created."""
    await ensure(platform)


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
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    keys = platform.store.get(f"{_KEYS_TYPE}/{account}")
    if keys is None:
        raise KeyError(account)
    sas: str = generate_account_sas(
        account,
        keys.body["key1"],
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(
            read=True, write=True, delete=True, list=True, add=True, create=True, update=True, process=True, tag=True
        ),
        expiry=now + dt.timedelta(days=1),
    )
    platform.parts[f"{NAME}/sas/{account}"] = (now + dt.timedelta(hours=1), sas)
    return sas


def _accounts(platform: Platform) -> str:
    keys = [doc.body for doc in platform.store.of_type(_KEYS_TYPE)]
    return ";".join(f"{entry['account']}:{entry['key1']}:{entry['key2']}" for entry in keys)
