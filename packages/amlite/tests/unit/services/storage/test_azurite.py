from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from amlite.core.errors import StartError
from amlite.core.platform import Platform
from amlite.services.storage import azurite
from amlite.tools import azurite as tool


class Children:
    """Starts nothing, and takes its time to stop it."""

    def __init__(self) -> None:
        self.accounts: str | None = None

    def is_running(self, _name: str) -> bool:
        return self.accounts is not None

    async def stop(self, _name: str) -> None:
        self.accounts = None
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def ensure(self, _name: str, _command: Any, *, environment: dict[str, str]) -> str:
        if self.accounts is None:
            self.accounts = environment["AZURITE_ACCOUNTS"]
        return self.accounts


def test_an_account_is_served_though_requests_for_another_come_while_azurite_starts_anew(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(name: str) -> None:
        platform.store.put(f"storage/keys/{name}", "storage/keys", {"account": name, "key1": "a", "key2": "b"})

    async def both() -> list[Any]:
        await azurite.ensure(platform, "old")
        create("new")
        return await asyncio.gather(azurite.ensure(platform, "new"), azurite.ensure(platform, "old"))

    monkeypatch.setattr(platform, "children", Children())
    monkeypatch.setattr(tool, "TOOL", replace(tool.TOOL, find=lambda: "/azurite"))
    create("old")
    assert asyncio.run(both()) == ["new:a:b;old:a:b"] * 2


@pytest.mark.attack
@pytest.mark.parametrize("content", [None, b"", b'{"filename": "__azu', b"\0" * 40])
def test_lost_tables_are_an_error_and_no_account_without_blobs(platform: Platform, content: bytes | None) -> None:
    folder = platform.state / "azurite"
    (folder / "__blobstorage__").mkdir(parents=True)
    (folder / "__blobstorage__" / "4fef").write_bytes(b"a,b")
    if content is not None:
        (folder / "__azurite_db_blob__.json").write_bytes(content)
    with pytest.raises(StartError, match=r"__azurite_db_blob__.json is lost or cut off.* amlite reset"):
        asyncio.run(azurite.ensure(platform))
