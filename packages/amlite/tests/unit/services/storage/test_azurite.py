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


def _create(platform: Platform, name: str) -> None:
    platform.store.put(f"storage/keys/{name}", "storage/keys", {"account": name, "key1": "a", "key2": "b"})


@pytest.fixture
def children(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Children:
    made = Children()
    monkeypatch.setattr(platform, "children", made)
    monkeypatch.setattr(tool, "TOOL", replace(tool.TOOL, find=lambda: "/azurite"))
    return made


def test_a_request_gets_its_answer_before_azurite_starts_anew(platform: Platform, children: Children) -> None:
    """A write that a restart ended was answered with 503, and its repetition with 409: the blob was there."""

    async def during() -> tuple[str | None, str | None]:
        async with azurite.used(platform, "old"):
            _create(platform, "new")
            other = asyncio.create_task(azurite.ensure(platform, "new"))
            await asyncio.sleep(0.1)
            seen = children.accounts
        await other
        return seen, children.accounts

    _create(platform, "old")
    assert asyncio.run(during()) == ("old:a:b", "new:a:b;old:a:b")


def test_a_caller_that_reads_slowly_delays_a_restart_only_for_a_time(
    platform: Platform, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def during() -> None:
        async with azurite.used(platform, "old"):
            _create(platform, "new")
            await azurite.ensure(platform, "new")

    monkeypatch.setattr(azurite, "_PATIENCE_SECONDS", 0.1)
    _create(platform, "old")
    asyncio.run(during())
    assert children.accounts == "new:a:b;old:a:b"


def test_an_account_is_served_though_requests_for_another_come_while_azurite_starts_anew(
    platform: Platform, children: Children
) -> None:
    async def both() -> list[Any]:
        await azurite.ensure(platform, "old")
        _create(platform, "new")
        return await asyncio.gather(azurite.ensure(platform, "new"), azurite.ensure(platform, "old"))

    _create(platform, "old")
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
