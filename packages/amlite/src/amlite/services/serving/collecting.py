"""The agent beside a model server: it takes what the scoring script and the gateway collect, and writes it to blobs.

In Azure it is a container beside the one of the scoring script. The script's package azureml-ai-monitoring sends each
data frame to it in the background (`POST /modeldata/log`). Requests and responses come from the gateway. The records
are CloudEvents, one a line, as "Collect production data from models for real-time inferencing" shows them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import random
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from amlite.core import listening
from amlite.core.errors import AzureError, StartError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.machinelearning import datastores
from amlite.services.serving.collector import PAYLOAD, Collection, Collector
from amlite.services.storage import accounts, blobs

_INLINE_BYTES = 4 << 20  # a record refers to larger data, which gets a blob of its own
_MOST_PENDING_BYTES = 64 << 20
_MOST_BYTES = 16 << 20
_WAIT_SECONDS = 0.2
_RETRY_SECONDS = 1.0
_ATTEMPTS = 30
_MOST_APPENDS = 40_000  # the blob service allows 50,000 blocks in one blob
_ATTRIBUTE = "ce-"
_JSON = "application/json"


@dataclass(frozen=True)
class _Item:
    """Something to write: a line to append to a collection's file of a time, or the whole content of a blob."""

    collection: Collection
    folder: str
    content: bytes
    blob: str | None = None


@dataclass(frozen=True)
class Sampled:
    """A request: the id under which its response belongs, and the draw that decides about both."""

    id: str
    draw: float


class Agent:
    """Collects for one model server. `say` writes to the server's log."""

    def __init__(self, platform: Platform, collector: Collector, say: Callable[[str], None]) -> None:
        self._platform = platform
        self._collector = collector
        self._say = say
        self._file, self._appends = str(uuid.uuid4()), 0
        self._pending: list[_Item] = []
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._login = f"agent:{secrets.token_hex(16)}"
        self.port = 0

    @property
    def settings(self) -> Json:
        """What the scoring script's package reads."""
        return self._collector.script_settings()

    @property
    def host(self) -> str:
        """The host with the agent's secret, as in a URL: every user of the machine can connect to a loopback port."""
        return f"{self._login}@127.0.0.1"

    async def open(self) -> None:
        """Listen on a loopback port for the scoring script."""
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_post("/modeldata/log", self._log)
        self._runner = listening.runner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Write what is left, and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._closing.set()
        if self._writing is not None:
            await self._writing

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Sampled:
        """Collect a request if it is in the sample. Return what `response` needs."""
        lower = {name.lower(): value for name, value in headers.items()}
        found = lower.get("x-request-id") or lower.get("x-ms-client-request-id") or str(uuid.uuid4())
        sampled = Sampled(found, random.random())  # noqa: S311 - a sample, not a secret
        captured = {_attribute(name): lower[name.lower()] for name in self._collector.headers if name.lower() in lower}
        own = {"path": path, "method": method, "contentrange": f"bytes 0-{max(len(body) - 1, 0)}/*", **captured}
        if self._wants("request", sampled):
            self._add("request", {**own, **_ids(found)}, lower.get("content-type", ""), body)
        return sampled

    def response(self, sampled: Sampled, content_type: str, body: bytes) -> None:
        """Collect the response to a request if it is in the sample."""
        if self._wants("response", sampled):
            self._add("response", {"contentrange": _range(body), **_ids(sampled.id)}, content_type, body)

    def copy(self, sampled: Sampled) -> Copy | None:
        """Return what takes the parts of the response to a request, if it is in the sample."""
        return Copy(self, sampled) if self._wants("response", sampled) else None

    def drop(self, what: str) -> None:
        """Say that something is not collected."""
        self._say(f"data collector: dropped {what}")

    def _wants(self, name: str, sampled: Sampled) -> bool:
        """Whether a payload is in its collection's sample. With equal rates, a sampled request has its response."""
        collection = self._collector.collections.get(name)
        return collection is not None and sampled.draw < collection.sampling

    async def _log(self, request: web.Request) -> web.Response:
        """Take one data frame from the scoring script. The headers `ce-…` are the record's attributes."""
        login = request.headers.get("Authorization", "").removeprefix("Basic ").encode()
        if not secrets.compare_digest(login, base64.b64encode(self._login.encode())):
            return web.Response(status=403)
        given = {
            name.lower().removeprefix(_ATTRIBUTE): value
            for name, value in request.headers.items()
            if name.lower().startswith(_ATTRIBUTE)
        }
        name = given.pop("type", "").removeprefix("azureml.inference.")
        if name.lower() in PAYLOAD or name.lower() not in self._collector.collections:
            return web.Response(status=400, text=f"collection '{name}' is not enabled")
        body = await request.read()
        attributes: Json = {"id": request.headers.get("trace-id") or str(uuid.uuid4())}
        seconds = given.pop("time", "")
        if seconds.isdigit():
            at = dt.datetime.fromtimestamp(int(seconds) + self._platform.clock.offset, dt.UTC)
            attributes["time"] = _stamp(at)
        if correlation := given.pop("x-request-id", None):
            attributes |= _ids(correlation)
        attributes |= {_attribute(key): value for key, value in given.items()}
        attributes["contentrange"] = _range(body)
        self._add(name.lower(), attributes, request.content_type, body)
        return web.Response(status=200)

    def _add(self, name: str, attributes: Json, content_type: str, body: bytes) -> None:
        collection = self._collector.collections[name]
        if self._bytes + len(body) > _MOST_PENDING_BYTES:
            self._say(f"data collector: {collection.name}: dropped a record, because the storage is too slow")
            return
        now = self._platform.clock.now()
        folder = self._collector.folder(now)
        record: Json = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": self._collector.source,
            "type": f"azureml.inference.{collection.name}",
            "datacontenttype": content_type.partition(";")[0] or "application/octet-stream",
            "time": _stamp(now),
            "data": None,
            **attributes,
        }
        line = _inline(record, body)
        if line is None:
            blob = collection.target / folder / record["id"]
            self._put(_Item(collection, folder, body, record["id"]))
            line = _line({**record, "data": blob.url, "datainblob": "true"}, "replace")  # a header may have any bytes
        self._put(_Item(collection, folder, line))

    def _put(self, item: _Item) -> None:
        self._pending.append(item)
        self._bytes += len(item.content)
        if self._writing is None or self._writing.done():
            self._writing = self._platform.background(self._write(), f"collecting for {self._collector.source}")

    async def _write(self) -> None:
        attempts = 0
        while self._pending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _RETRY_SECONDS if attempts else _WAIT_SECONDS)
            batch = _grouped(self._pending, self._file)
            self._pending, self._bytes = [], 0
            for (collection, folder, blob), items in batch.items():
                try:
                    await self._store(collection, collection.target / folder / blob, items)
                except AzureError as error:
                    self._say(f"data collector: {collection.name}: dropped {len(items)} records: {error.message}")
                except (aiohttp.ClientError, StartError) as error:
                    if attempts >= _ATTEMPTS or self._closing.is_set():
                        self._say(f"data collector: {collection.name}: dropped {len(items)} records: {error}")
                        continue
                    self._pending += items
                    self._bytes += sum(len(item.content) for item in items)
            attempts = attempts + 1 if self._pending else 0
            self._appends += 1
            if self._appends >= _MOST_APPENDS:
                self._file, self._appends = str(uuid.uuid4()), 0

    async def _store(self, collection: Collection, blob: blobs.BlobPath, items: list[_Item]) -> None:
        writer, workspace_id = collection.writer, self._collector.source.rsplit("/", 4)[0]
        if not accounts.may(self._platform, writer, blob.account, blob.container, "write") and not (
            await datastores.has_key(self._platform, workspace_id, blob, "write")
        ):
            raise AzureError(
                403,
                "AuthorizationPermissionMismatch",
                f"the endpoint's identity (client id {writer.client_id}) may not write {collection.target.url}. Give "
                f"it the role 'Storage Blob Data Contributor' on the container '{blob.container}'.",
            )
        content = b"".join(item.content for item in items)
        if items[0].blob is not None:
            await blobs.write(self._platform, blob, content)
        else:
            await blobs.append(self._platform, blob, content)


class Copy:
    """The parts of a response, for the agent. One that is larger than other records may be is not collected."""

    def __init__(self, agent: Agent, sampled: Sampled) -> None:
        self._agent, self._sampled = agent, sampled
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        """Take a part."""
        if len(self._body) <= _MOST_BYTES:
            self._body += piece

    def collect(self, content_type: str) -> None:
        """Collect the response, which is whole."""
        if len(self._body) > _MOST_BYTES:
            self._agent.drop(f"a response of more than {_MOST_BYTES >> 20} MB")
        else:
            self._agent.response(self._sampled, content_type, bytes(self._body))


def _grouped(items: list[_Item], file: str) -> dict[tuple[Collection, str, str], list[_Item]]:
    """Group what belongs into the same blob, in order."""
    found: dict[tuple[Collection, str, str], list[_Item]] = {}
    for item in items:
        found.setdefault((item.collection, item.folder, item.blob or f"{file}.jsonl"), []).append(item)
    return found


def _inline(record: Json, body: bytes) -> bytes | None:
    """Return the line of a record with its data. Return None for data that has a blob of its own."""
    if record["datacontenttype"].lower() != _JSON or len(body) > _INLINE_BYTES:
        return None
    try:
        return _line({**record, "data": json.loads(body)})
    except (ValueError, RecursionError):  # such as one with half a character, or with a thousand levels
        return None


def _line(record: Json, errors: str = "strict") -> bytes:
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode(errors=errors)


def _attribute(header: str) -> str:
    """Return the name of a CloudEvents attribute: it has lower-case letters and digits only."""
    return "".join(letter for letter in header.lower() if letter.isalnum())


def _ids(found: str) -> Json:
    return {"correlationid": found, "xrequestid": found}


def _range(body: bytes) -> str:
    return f"bytes 0-{max(len(body) - 1, 0)}/{len(body)}"


def _stamp(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
