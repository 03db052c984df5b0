"""Blobs that amlite itself reads and writes: directly in Azurite, with a signature of the account's key.

Callers check access beforehand; this module does not evaluate roles.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar
from xml.etree import ElementTree as ET

from aiohttp import ClientConnectionError, ClientPayloadError, ClientResponse, ClientTimeout
from yarl import URL

from amlite.core import contained, outgoing
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.storage import azurite, changes, room

_T = TypeVar("_T")
_PARALLEL = 8
_ATTEMPTS = 4
_CHUNK_BYTES = 1 << 20
_PAGE = 5000
_MOST_READ = 16 << 20
# The largest body of one Put Blob or Append Block. Larger files are uploaded as blocks.
_PUT_BYTES = 64 << 20
_APPEND_BYTES = 4 << 20
# The metadata of a directory of a data lake.
DIRECTORY_HEADER = "x-ms-meta-hdi_isfolder"
PUBLIC_HEADER = "x-ms-blob-public-access"
_HEADERS = {"x-ms-version": "2023-11-03"}
_BLOB_URL = re.compile(r"https://([a-z0-9]+)\.(?:blob|dfs)\.core\.windows\.net/([^/?]+)/?([^?]*)(\?.*)?", re.IGNORECASE)
_DOTS = re.compile(r"[/\\]\.\.?[/\\]")
_HADOOP_URL = re.compile(
    r"(?:wasbs?|abfss?)://([^@/]+)@([a-z0-9]+)\.(?:blob|dfs)\.core\.windows\.net/?(.*)", re.IGNORECASE
)


@dataclass(frozen=True)
class BlobPath:
    """A blob or a prefix (folder) of blobs. `path` never starts with a slash. "" is the whole container.

    Raises AzureError 400 for a path with `.` or `..` segments, which would have another address too.
    """

    account: str
    container: str
    path: str = ""

    def __post_init__(self) -> None:
        """Refuse a second form of an address."""
        if _DOTS.search(f"/{self.container}/{self.path}/") or "/" in self.container:
            raise AzureError(400, "InvalidUri", f"The path '{self.container}/{self.path}' has '.' or '..' segments.")

    @classmethod
    def parse(cls, url: str) -> BlobPath | None:
        """Parse an `https://<account>.blob…`, `wasbs://` or `abfss://` URL. Return None for any other."""
        if found := _BLOB_URL.fullmatch(url):
            return cls(found[1].lower(), found[2], urllib.parse.unquote(found[3]))
        if found := _HADOOP_URL.fullmatch(url):
            return cls(found[2].lower(), found[1], urllib.parse.unquote(found[3]))
        return None

    @property
    def url(self) -> str:
        """The URL that a storage client uses."""
        return f"https://{self.account}.blob.core.windows.net/{self.container}/{urllib.parse.quote(self.path)}"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    def __truediv__(self, name: str) -> BlobPath:
        """Return a path below this one."""
        base = self.path.rstrip("/")
        return BlobPath(self.account, self.container, f"{base}/{name}" if base else name)


async def create_container(platform: Platform, account: str, container: str) -> None:
    """Create a container unless it exists."""
    async with await request(platform, "PUT", BlobPath(account, container), {"restype": "container"}) as answer:
        if answer.status != 409:
            await check(answer, BlobPath(account, container))


async def public_access(platform: Platform, account: str, container: str) -> str | None:
    """Return what anybody may read of a container: `container`, only its `blob`s, or nothing."""
    place = BlobPath(account, container)
    async with await request(platform, "HEAD", place, {"restype": "container"}) as answer:
        await check(answer, place)
        return answer.headers.get(PUBLIC_HEADER)


async def delete_container(platform: Platform, account: str, container: str) -> None:
    """Delete a container with its blobs, if it exists."""
    async with await request(platform, "DELETE", BlobPath(account, container), {"restype": "container"}) as answer:
        if answer.status != 404:
            await check(answer, BlobPath(account, container))


async def exists(platform: Platform, blob: BlobPath) -> bool:
    """Whether a blob of exactly that name exists and is not a directory."""
    async with await request(platform, "HEAD", blob) as answer:
        return answer.status == 200 and answer.headers.get(DIRECTORY_HEADER, "").lower() != "true"


async def read(platform: Platform, blob: BlobPath, *, most: int = _MOST_READ, end: bool = False) -> bytes:
    """Return a blob's content, or with `end` only its last `most` bytes.

    Raises AzureError 404 `BlobNotFound` if it does not exist, and 400 if it is larger than `most` bytes: a small
    request can make a blob of terabytes, of pages without content or of one block many times.
    """

    async def once() -> bytes:
        headers: dict[str, str] = {}
        if end:
            async with await request(platform, "HEAD", blob) as answer:
                await check(answer, blob)
                length = int(answer.headers.get("Content-Length") or 0)
            if not length:
                return b""
            headers = {"x-ms-range": f"bytes={max(length - most, 0)}-{length - 1}"}  # it may grow meanwhile
        async with await request(platform, "GET", blob, headers=headers) as answer:
            await check(answer, blob)
            return await outgoing.content(answer, most)

    try:
        return await _whole(once)
    except outgoing.TooLargeError as error:
        raise AzureError(
            400, "BlobTooLarge", f"{blob.url} is larger than the {most >> 20} MB that may be read."
        ) from error


async def write(
    platform: Platform, blob: BlobPath, data: bytes, *, content_type: str = "application/octet-stream"
) -> None:
    """Write or overwrite a block blob. Create its container if it is missing."""
    headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": content_type}
    await _write(platform, blob, data, headers=headers)
    changes.announce(platform, changes.CREATED, blob.account, blob.container, blob.path)


async def append(platform: Platform, blob: BlobPath, data: bytes) -> None:
    """Append to an append blob, creating it (and its container) on first use. One writer at a time."""
    for start in range(0, len(data), _APPEND_BYTES):
        block = data[start : start + _APPEND_BYTES]
        async with await request(platform, "PUT", blob, {"comp": "appendblock"}, data=block) as answer:
            if answer.status != 404:
                await check(answer, blob)
                continue
        await _write(platform, blob, b"", headers={"x-ms-blob-type": "AppendBlob", "Content-Type": "text/plain"})
        async with await request(platform, "PUT", blob, {"comp": "appendblock"}, data=block) as answer:
            await check(answer, blob)


@dataclass(frozen=True)
class Entry:
    """A blob in a listing, with its `length` in bytes and `modified` in HTTP's format."""

    name: str
    length: int
    modified: str
    etag: str
    directory: bool


async def entries(platform: Platform, prefix: BlobPath, *, signature: str | None = None) -> list[Entry]:
    """Return every blob at or below a path, in order. A prefix of a name does not count. A missing container has none.

    `signature` is a caller's signature. The default permits everything.
    """
    base = prefix.path.rstrip("/")
    found: list[Entry] = []
    marker = ""
    while True:
        query = {"restype": "container", "comp": "list", "prefix": base, "marker": marker, "include": "metadata"}
        query["maxresults"] = str(_PAGE)
        text = await _whole(functools.partial(_page, platform, prefix, query, signature))
        if text is None:
            return []
        page = ET.fromstring(text)  # noqa: S314 - the XML of a child process is trusted
        every = (_entry(element) for element in page.iterfind("Blobs/Blob"))
        found += [entry for entry in every if not base or entry.name == base or entry.name.startswith(f"{base}/")]
        marker = page.findtext("NextMarker") or ""
        if not marker:
            return _with_directories(found)


async def _page(platform: Platform, prefix: BlobPath, query: dict[str, str], signature: str | None) -> str | None:
    """Return a page of a listing as XML, or None if there is no container."""
    container = BlobPath(prefix.account, prefix.container)
    async with await request(platform, "GET", container, query, signature=signature) as answer:
        if answer.status == 404:
            return None
        await check(answer, prefix)
        return await answer.text()


async def names(platform: Platform, prefix: BlobPath) -> list[str]:
    """Return the names of all blobs at or below a path, in order, without directories."""
    return [entry.name for entry in await files(platform, prefix)]


async def files(platform: Platform, prefix: BlobPath) -> list[Entry]:
    """Return all blobs at or below a path, in order, without directories."""
    found = await entries(platform, prefix)
    return [entry for entry in found if not entry.directory and not entry.name.endswith("/")]


def _entry(element: ET.Element) -> Entry:
    def text(path: str) -> str:
        return element.findtext(path) or ""

    flag = text("Metadata/hdi_isfolder").lower() == "true"
    length = int(text("Properties/Content-Length") or 0)
    return Entry(text("Name"), length, text("Properties/Last-Modified"), text("Properties/Etag"), flag)


def _with_directories(found: list[Entry]) -> list[Entry]:
    """Mark empty blobs with blobs below them as directories, also those whose metadata was replaced."""
    parents = {entry.name[:end] for entry in found for end, letter in enumerate(entry.name) if letter == "/"}
    return [replace(entry, directory=True) if not entry.length and entry.name in parents else entry for entry in found]


async def upload_tree(platform: Platform, source: Path, target: BlobPath, *, within: Path | None = None) -> int:
    """Upload a folder's files below `target`, or one file to exactly `target`. Return the number of files.

    Links are followed inside `within`, which is the source if it is not given. Raises AzureError for other links, and
    for files that are too large together, before the first one is uploaded.
    """
    within = within or source
    found = await asyncio.to_thread(_files, source, target, within)
    sizes = await asyncio.to_thread(_sizes, found)
    with room.for_upload(platform, source.name, sum(sizes)) as written:

        async def upload(path: Path, blob: BlobPath, size: int) -> None:
            await upload_file(platform, path, blob, within=within)
            written(size)

        await _all(upload(path, blob, size) for (path, blob), size in zip(found, sizes, strict=True))
    return len(found)


async def upload_file(platform: Platform, source: Path, target: BlobPath, *, within: Path) -> None:
    """Upload one file of any size. Raises AzureError if a link leads out of `within`."""
    blocks: list[str] = []
    with contained.opened(source, within) as file:
        if os.fstat(file.fileno()).st_size <= _PUT_BYTES:
            await write(platform, target, await asyncio.to_thread(file.read))
            return
        while block := await asyncio.to_thread(file.read, _PUT_BYTES):
            blocks.append(f"{len(blocks):08d}AAAA")  # block ids are base64 of one length; these are their own encoding
            await _write(platform, target, block, {"comp": "block", "blockid": blocks[-1]})
    listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
    await _write(platform, target, f"<BlockList>{listed}</BlockList>".encode(), {"comp": "blocklist"})
    changes.announce(platform, changes.CREATED, target.account, target.container, target.path)


async def delete_tree(platform: Platform, prefix: BlobPath) -> None:
    """Delete the blobs at or below a path, if there are any."""

    async def delete(name: str) -> None:
        blob = BlobPath(prefix.account, prefix.container, name)
        async with await request(platform, "DELETE", blob) as answer:
            if answer.status != 404:
                await check(answer, blob)

    await _all([delete(name) for name in await names(platform, prefix)])


async def download_tree(platform: Platform, source: BlobPath, target: Path) -> list[Path]:
    """Download the blobs at or below `source` into the folder `target`. Return the written files.

    A path that is one blob becomes `target/<its name>`. A container without blobs becomes an empty folder. Nothing is
    written outside `target`. AzureError 404 if the blob, folder or container does not exist, and 400 if the disk has no
    room for the files.
    """
    base = source.path.rstrip("/")
    found = await files(platform, source)
    every = [entry.name for entry in found]
    if not every and (base or not await _is_container(platform, source)):
        raise AzureError(404, "BlobNotFound", f"There is nothing at {source.url}.")
    await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
    root = await asyncio.to_thread(target.resolve)
    places: list[tuple[str, Path]] = []
    for name in every:
        relative = PurePosixPath(name).name if name == base else name[len(base) :].lstrip("/")
        path = (root / relative).resolve()
        if not path.is_relative_to(root):
            raise AzureError(400, "InvalidBlobName", f"The blob name '{name}' leaves its folder.")
        places.append((name, path))
    with room.for_download(platform, target, source.url, sum(entry.length for entry in found)) as written:

        async def fetch(name: str, path: Path) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)

            async def once() -> None:
                async with await request(platform, "GET", BlobPath(source.account, source.container, name)) as answer:
                    await check(answer, source)
                    with path.open("wb") as file:
                        async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                            file.write(chunk)
                            written(len(chunk))

            await _whole(once)

        await _all(fetch(name, path) for name, path in places)
    return [path for _, path in places]


async def _is_container(platform: Platform, blob: BlobPath) -> bool:
    async with await request(platform, "HEAD", replace(blob, path=""), {"restype": "container"}) as answer:
        return answer.status == 200


def _files(source: Path, target: BlobPath, within: Path) -> list[tuple[Path, BlobPath]]:
    if source.is_file():
        return [(source, target)]
    return [(path, target / path.relative_to(source).as_posix()) for path in contained.files(source, within)]


def _sizes(files: list[tuple[Path, BlobPath]]) -> list[int]:
    """Return the bytes that the upload of each file writes: its holes, too."""
    return [path.stat().st_size for path, _ in files]


async def _write(
    platform: Platform,
    blob: BlobPath,
    data: bytes,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> None:
    async with await request(platform, "PUT", blob, query, data=data, headers=headers) as answer:
        if answer.status != 404:
            await check(answer, blob)
            return
    await create_container(platform, blob.account, blob.container)
    async with await request(platform, "PUT", blob, query, data=data, headers=headers) as answer:
        await check(answer, blob)


async def request(
    platform: Platform,
    method: str,
    blob: BlobPath,
    query: dict[str, str] | None = None,
    *,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
    signature: str | None = None,
) -> ClientResponse:
    """Send one request of the blob service to Azurite. `signature` is a query string, by default with all rights.

    Azurite restarts for a new account, and after a crash. A request that gets no answer is sent to the next one. It
    answers a write when it is on the disk, so at worst a line of a log is there twice.
    """
    try:
        signature = signature or azurite.account_sas(platform, blob.account)
    except KeyError as error:
        raise AzureError(
            404, "ResourceNotFound", f"The storage account '{blob.account}' does not exist in this local Azure."
        ) from error
    path = "/".join(part for part in (blob.account, blob.container, blob.path) if part)
    address = f"/{urllib.parse.quote(path)}?{signature}"
    if query:
        address += f"&{urllib.parse.urlencode(query)}"
    for attempt in range(_ATTEMPTS):
        child = await azurite.ensure(platform, blob.account)
        try:
            return await platform.http.request(
                method,
                URL(f"http://127.0.0.1:{child.port}{address}", encoded=True),
                data=data,
                headers={**_HEADERS, **(headers or {})},
                timeout=ClientTimeout(total=None),
            )
        except ClientConnectionError:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _whole(read: Callable[[], Awaitable[_T]]) -> _T:
    """Return what `read` returns. Call it again if Azurite ended in the middle of its answer."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(ClientConnectionError, ClientPayloadError):
            return await read()
    return await read()


async def check(answer: ClientResponse, blob: BlobPath) -> None:
    """Raise AzureError with the blob service's status and code if a response is an error."""
    if answer.status >= 400:
        code = answer.headers.get("x-ms-error-code", "StorageError")
        raise AzureError(answer.status, code, f"{code} at {blob.url}.")


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Run all, a few at a time. The first failure ends the others."""
    gate = asyncio.Semaphore(_PARALLEL)

    async def one(task: Awaitable[None]) -> None:
        async with gate:
            await task

    async with asyncio.TaskGroup() as group:
        for task in work:
            group.create_task(one(task))
