"""The copy of a job's log, which the job itself writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from amlite.core.platform import Platform
from amlite.services.jobs import process
from amlite.services.storage import blobs
from amlite.services.storage.blobs import BlobPath

TARGET = BlobPath("acct", "azureml", "log.txt")


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is appended to the blob."""
    found: list[bytes] = []

    async def append(_platform: Platform, _blob: BlobPath, data: bytes) -> None:
        found.append(data)

    monkeypatch.setattr(blobs, "append", append)
    monkeypatch.setattr(process, "_PIECE", 1000)
    monkeypatch.setattr(process, "_MOST_LOG", 3500)
    return found


async def test_a_log_is_copied_as_it_grows(platform: Platform, tmp_path: Path, copied: list[bytes]) -> None:
    log = tmp_path / "log.txt"
    copy = process.LogCopy(platform, log, TARGET, tmp_path)
    await copy.push()
    for text in ("one", "onetwo", "onetwo", "onetwo" + "x" * 2500):
        log.write_text(text, "utf-8")
        await copy.push()
    assert b"".join(copied) == b"onetwo" + b"x" * 2500
    assert max(map(len, copied)) <= 1000


@pytest.mark.attack
async def test_a_log_as_long_as_a_disk_is_copied_in_part(
    platform: Platform, tmp_path: Path, copied: list[bytes]
) -> None:
    """In one call and without a byte on the disk, a job can make it so long, and amlite would read it into memory."""
    with (tmp_path / "log.txt").open("wb") as file:
        file.truncate(1 << 40)
    copy = process.LogCopy(platform, tmp_path / "log.txt", TARGET, tmp_path)
    for _ in range(3):
        await copy.push()
    assert b"".join(copied) == bytes(3500) + b"\nThe log is longer than 0 MB. The rest of it is not copied."
