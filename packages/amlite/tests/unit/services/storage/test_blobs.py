"""Blobs written and read straight from a real Azurite, and the signatures amlite gives out."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
import pytest_asyncio

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import Child, Children, free_port
from amlite.core.store import Store
from amlite.services.jobs import data
from amlite.services.storage import accounts, azurite, blobs, delegation
from amlite.services.storage.blobs import BlobPath
from amlite.services.storage.types import KEYS_TYPE

KEY = "c2VjcmV0" * 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Return a platform with one storage account, and nothing but Azurite running."""
    state = tmp_path_factory.mktemp("state")
    made = Platform(state, Store(state / "amlite.db"), Children(state))
    made.store.put(f"{KEYS_TYPE}/account", KEYS_TYPE, {"account": "account", "id": "/a", "key1": KEY, "key2": KEY})
    async with aiohttp.ClientSession() as made.http:
        await azurite.ensure(made)
        yield made
        await made.children.stop_all()
    made.store.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_write_creates_the_container_and_read_returns_the_bytes(platform: Platform) -> None:
    blob = BlobPath("account", "fresh", "a folder/ü%20+name.bin")
    assert not await blobs.exists(platform, blob)
    await blobs.write(platform, blob, b"\x00bytes")
    assert await blobs.read(platform, blob) == b"\x00bytes"
    assert await blobs.names(platform, BlobPath("account", "fresh")) == ["a folder/ü%20+name.bin"]


async def test_append_grows_a_blob(platform: Platform) -> None:
    blob = BlobPath("account", "logs", "run/std_log.txt")
    for line in (b"one\n", b"two\n", b""):
        await blobs.append(platform, blob, line)
    assert await blobs.read(platform, blob) == b"one\ntwo\n"


async def test_a_tree_goes_up_and_comes_back(platform: Platform, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    files = {"a.txt": b"a", "deep/b.txt": b"", "deep/er/c d.txt": b"c" * 70_000}
    for name, content in files.items():
        (source / name).write_bytes(content)
    target = BlobPath("account", "trees", "up/here")
    assert await blobs.upload_tree(platform, source, target) == 3
    await blobs.write(platform, BlobPath("account", "trees", "up/hereafter.txt"), b"a neighbour")
    written = await blobs.download_tree(platform, target, tmp_path / "back")
    assert {path.relative_to(tmp_path / "back").as_posix(): path.read_bytes() for path in written} == files
    here = [f"up/here/{name}" for name in sorted(files)]
    assert await blobs.names(platform, target) == here
    assert await blobs.names(platform, BlobPath("account", "trees", "up")) == [*here, "up/hereafter.txt"]


async def test_a_container_without_blobs_is_an_empty_folder_and_one_that_does_not_exist_is_an_error(
    platform: Platform, tmp_path: Path
) -> None:
    await blobs.create_container(platform, "account", "empty")
    assert await blobs.download_tree(platform, BlobPath("account", "empty"), tmp_path / "empty") == []
    assert (tmp_path / "empty").is_dir()
    for missing in (BlobPath("account", "absent"), BlobPath("account", "empty", "folder")):
        with pytest.raises(AzureError, match="There is nothing at"):
            await blobs.download_tree(platform, missing, tmp_path / "missing")


async def test_a_request_that_meets_azurite_while_it_restarts_reaches_the_next_one(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another stack creates its storage account while a job reads its data."""
    running = await azurite.ensure(platform, "account")
    gone = Child(running.name, running.process, running.log, free_port())
    children = iter([gone, gone])

    async def ensure(_platform: Platform, _account: str) -> Child:
        return next(children, running)

    monkeypatch.setattr(azurite, "ensure", ensure)
    await blobs.write(platform, BlobPath("account", "restarts", "a.txt"), b"a")
    children = iter([gone])
    assert await blobs.read(platform, BlobPath("account", "restarts", "a.txt")) == b"a"


async def test_a_file_of_many_blocks_arrives_whole(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "_PUT_BYTES", 1000)
    content = bytes(range(256)) * 20
    (tmp_path / "large").write_bytes(content)
    blob = BlobPath("account", "blocks", "large")
    await blobs.upload_tree(platform, tmp_path / "large", blob)
    assert await blobs.read(platform, blob) == content


async def test_one_blob_downloads_under_its_name(platform: Platform, tmp_path: Path) -> None:
    blob = BlobPath("account", "single", "x/data.csv")
    await blobs.write(platform, blob, b"1")
    assert await blobs.download_tree(platform, blob, tmp_path) == [tmp_path / "data.csv"]


async def test_names_returns_more_than_one_page(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BlobPath("account", "pages", "many")
    for number in range(7):
        await blobs.write(platform, folder / f"{number}", b"")
    monkeypatch.setattr(blobs, "_PAGE", 3)
    assert len(await blobs.names(platform, folder)) == 7


@pytest.mark.parametrize(
    ("blob", "status"),
    [
        (BlobPath("account", "none", "x"), 404),
        (BlobPath("stranger", "c", "x"), 404),
        (BlobPath("account", "single"), 404),
    ],
)
async def test_what_is_not_there_is_an_azure_error(platform: Platform, blob: BlobPath, status: int) -> None:
    with pytest.raises(AzureError) as refused:
        await blobs.read(platform, blob / "missing")
    assert refused.value.status == status
    with pytest.raises(AzureError):
        await blobs.download_tree(platform, blob / "missing", Path("unused"))


async def test_a_signature_covers_what_it_says_and_nothing_else(platform: Platform) -> None:
    container = BlobPath("account", "c")
    query = dict(urllib.parse.parse_qsl(delegation.sign(platform, container, "rl")))
    assert delegation.is_delegated(query)
    assert delegation.permits(platform, "GET", container / "any/blob", query)
    assert delegation.permits(platform, "GET", container, {**query, "comp": "list", "restype": "container"})
    assert not delegation.permits(platform, "PUT", container / "blob", query)
    assert not delegation.permits(platform, "DELETE", container / "blob", query)
    for method in ("PUT", "DELETE", "POST"):  # the right to list gives no other one
        assert not delegation.permits(platform, method, container / "blob", {**query, "comp": "list"})
    assert not delegation.permits(platform, "GET", BlobPath("account", "other", "blob"), query)
    assert not delegation.permits(platform, "GET", BlobPath("stranger", "c", "blob"), query)
    assert not delegation.permits(platform, "PUT", container / "blob", {**query, "sp": "racwdl"})
    assert not delegation.permits(platform, "GET", container / "blob", {**query, "sig": "AAAA"})


@pytest.mark.attack
async def test_a_signature_and_a_seal_end_with_their_account(platform: Platform) -> None:
    """Another one may get its name. Who had signatures of the former one has none of this one."""
    container = BlobPath("renewed", "c")
    accounts.create_keys(platform, "renewed", "/renewed")
    query = dict(urllib.parse.parse_qsl(delegation.sign(platform, container, "rw")))
    assert delegation.permits(platform, "GET", container / "blob", query)
    delegation.seal(platform, container)
    platform.store.delete(f"{KEYS_TYPE}/renewed")
    delegation.forget(platform, "renewed")
    accounts.create_keys(platform, "renewed", "/of/others")
    try:
        assert not delegation.permits(platform, "GET", container / "blob", query)
        fresh = dict(urllib.parse.parse_qsl(delegation.sign(platform, container, "rw")))
        assert delegation.permits(platform, "PUT", container / "blob", fresh)
    finally:
        platform.store.delete(f"{KEYS_TYPE}/renewed")


async def test_a_signature_ends(platform: Platform) -> None:
    blob = BlobPath("account", "c", "x")
    query = dict(urllib.parse.parse_qsl(delegation.sign(platform, blob, "r", dt.timedelta(seconds=-1))))
    assert not delegation.permits(platform, "GET", blob, query)


async def test_blob_urls_are_parsed() -> None:
    assert BlobPath.parse("https://Account.blob.core.windows.net/c/a/b%20c?sig=x") == BlobPath("account", "c", "a/b c")
    assert BlobPath.parse("abfss://fs@account.dfs.core.windows.net/a") == BlobPath("account", "fs", "a")
    assert BlobPath.parse("https://example.com/c/a") is None
    assert (BlobPath("a", "c", "x y").url, BlobPath("a", "c", "d/e").name) == (
        "https://a.blob.core.windows.net/c/x%20y",
        "e",
    )


@pytest.mark.parametrize("broken", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@pytest.mark.parametrize("times", [1, 3])
async def test_what_azurite_did_not_answer_to_its_end_is_asked_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: bytes, times: int
) -> None:
    """As when it restarts for a new account, or is killed."""
    blob = BlobPath("account", "cut", "folder/a.bin")
    await blobs.write(platform, blob, b"the whole content")
    real, cuts = await azurite.ensure(platform, "account"), [0]

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        cuts[0] += 1
        writer.write(broken)
        writer.close()

    async def ensure(*_: object) -> Child:
        return SimpleNamespace(port=port) if cuts[0] < times else real  # type: ignore[return-value]

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr(azurite, "ensure", ensure)
        assert await blobs.read(platform, blob) == b"the whole content"
        cuts[0] = 0
        assert await blobs.names(platform, BlobPath("account", "cut")) == ["folder/a.bin"]
        cuts[0] = 0
        (file,) = await blobs.download_tree(platform, BlobPath("account", "cut", "folder"), tmp_path)
        assert file.read_bytes() == b"the whole content"
        if not broken:
            cuts[0] = 0
            await blobs.write(platform, blob, b"another content")
            assert await blobs.read(platform, blob) == b"another content"


@pytest.mark.attack
async def test_a_file_with_holes_does_not_fill_the_disk(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes no room where it was written, and its whole size where it is uploaded."""
    (tmp_path / "small").write_bytes(b"small")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 43)
    target = BlobPath("account", "holes", "folder")
    with pytest.raises(AzureError, match=r"has 8192\.0 GB, holes in files included, and its upload may take"):
        await blobs.upload_tree(platform, tmp_path, target)
    monkeypatch.setenv("AMLITE_OUTPUT_GB", "1")
    with huge.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(AzureError, match=r"may have 1 GB \(AMLITE_OUTPUT_GB\)"):
        await blobs.upload_tree(platform, tmp_path, target)
    assert not await blobs.exists(platform, target / "small"), "nothing is uploaded"
    huge.unlink()
    assert await blobs.upload_tree(platform, tmp_path, target) == 1


@pytest.mark.attack
async def test_copies_at_once_do_not_count_on_the_same_room(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = BlobPath("account", "room", "folder")
    await blobs.write(platform, source / "a.bin", b"x" * (600 << 10))

    def usage(_folder: Path) -> SimpleNamespace:
        written = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        return SimpleNamespace(free=(1 << 30) + (1 << 20) - written)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    got = await asyncio.gather(
        *(blobs.download_tree(platform, source, tmp_path / name) for name in ("one", "two")), return_exceptions=True
    )
    (refused,) = [each for each in got if isinstance(each, AzureError)]
    assert "Nothing of it was downloaded" in refused.message
    shutil.rmtree(tmp_path / "one", ignore_errors=True)
    shutil.rmtree(tmp_path / "two", ignore_errors=True)
    assert len(await blobs.download_tree(platform, source, tmp_path / "three")) == 1, "what ended keeps no room"


async def test_a_limit_that_is_no_number_is_refused_by_name(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMLITE_OUTPUT_GB", "10 GB")
    with pytest.raises(AzureError, match="AMLITE_OUTPUT_GB must be a whole number of GB, not '10 GB'"):
        await blobs.upload_tree(platform, tmp_path, BlobPath("account", "limit", "folder"))


async def test_what_jobs_share_is_downloaded_again_if_it_changed(platform: Platform) -> None:
    """A version that was deleted and registered again has the address of the first one."""
    snapshot = BlobPath("account", "codes", "snapshot")
    await blobs.write(platform, snapshot / "main.py", b"first")
    first = await data.kept(platform, snapshot)
    assert await data.kept(platform, snapshot) == first
    await blobs.write(platform, snapshot / "main.py", b"other")
    assert (await data.kept(platform, snapshot) / "main.py").read_bytes() == b"other"
    assert (first / "main.py").read_bytes() == b"first", "a job that runs has it still"
