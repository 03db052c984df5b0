"""What the agent writes of requests and responses, without a storage account."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.serving.collecting import Agent
from amlite.services.serving.collector import Collection, Collector
from amlite.services.storage import accounts, blobs
from amlite.services.storage.blobs import BlobPath

JSON = "application/json; charset=utf-8"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return what is in blob storage, by path."""
    found: dict[str, bytes] = {}

    async def append(_platform: Platform, blob: BlobPath, data: bytes) -> None:
        found[blob.path] = found.get(blob.path, b"") + data

    monkeypatch.setattr(accounts, "may", lambda *_arguments: True)
    monkeypatch.setattr(blobs, "append", append)
    monkeypatch.setattr(blobs, "write", append)
    return found


WRITER = Principal("writer", "writer")
INPUTS = Collection("inputs", BlobPath("account", "container", "inputs"), 1.0, WRITER)


def collector(sampling: float = 1.0, rolling: str = "Hour", headers: tuple[str, ...] = ()) -> Collector:
    names = ("request", "response")
    places = {name: Collection(name, BlobPath("account", "container", name), sampling, WRITER) for name in names}
    return Collector("/deployments/blue", places, rolling, headers)


def collect(platform: Platform, wanted: Collector, use: Callable[[Agent], object]) -> list[str]:
    """Let an agent collect, and return what it said."""
    said: list[str] = []

    async def run() -> None:
        agent = Agent(platform, wanted, said.append)
        use(agent)
        await agent.close()

    asyncio.run(run())
    return said


def records(written: dict[str, bytes], name: str) -> list[Any]:
    return [
        json.loads(line)
        for path, content in written.items()
        if path.startswith(f"{name}/") and path.endswith(".jsonl")
        for line in content.splitlines()
    ]


def test_sampling_keeps_a_share_of_the_requests_and_each_has_its_response(
    platform: Platform, written: dict[str, bytes]
) -> None:
    def score(agent: Agent) -> None:
        for number in range(400):
            sampled = agent.request("POST", "/score", {"Content-Type": JSON}, b"%d" % number)
            agent.response(sampled, JSON, b"%d" % number)

    collect(platform, collector(0.5), score)
    asked, answered = records(written, "request"), records(written, "response")
    assert 100 < len(asked) < 300  # 200 expected: 10 standard deviations away
    assert [each["xrequestid"] for each in asked] == [each["xrequestid"] for each in answered]
    assert [each["data"] for each in asked] == [each["data"] for each in answered]


def test_binary_data_and_data_over_4_mb_get_a_blob_that_the_record_names(
    platform: Platform, written: dict[str, bytes]
) -> None:
    """How-to-collect-production-data, "Store large payloads" and "Store binary data"."""
    large = json.dumps("x" * (4 << 20)).encode()

    def score(agent: Agent) -> None:
        agent.request("POST", "/score?size=1", {"Content-Type": "image/png"}, b"\x89PNG")
        agent.request("POST", "/score", {"Content-Type": JSON}, large)
        agent.request("POST", "/score", {"Content-Type": JSON}, b"{not json")

    collect(platform, collector(), score)
    for record, content in zip(records(written, "request"), (b"\x89PNG", large, b"{not json"), strict=True):
        assert record["datainblob"] == "true"
        assert written[record["data"].partition("/container/")[2]] == content
        assert record["data"].rpartition("/")[2] == record["id"]


@pytest.mark.attack
@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 970 + b"]" * 970, b'{"a": "\\ud800"}', b"9" * 5000])
def test_no_json_of_a_caller_is_an_error_of_the_agent(
    platform: Platform, written: dict[str, bytes], body: bytes
) -> None:
    """The model has answered: an error would take its answer from the caller."""
    collect(platform, collector(), lambda agent: agent.request("POST", "/score", {"Content-Type": JSON}, body))
    collect(platform, collector(), lambda agent: agent.request("POST", "/score", {"Content-Type": "a/\udcff"}, body))
    for record in records(written, "request"):
        assert record["datainblob"] == "true"
        assert written[record["data"].partition("/container/")[2]] == body


@pytest.mark.parametrize(
    ("rolling", "folder"),
    [
        ("Year", "2026"), ("Month", "2026/03"), ("Day", "2026/03/09"), ("Hour", "2026/03/09/08"),
        ("Minute", "2026/03/09/08/07"),
    ],
)  # fmt: skip
def test_the_rolling_rate_decides_the_folder(rolling: str, folder: str) -> None:
    assert collector(rolling=rolling).folder(dt.datetime(2026, 3, 9, 8, 7, 6, tzinfo=dt.UTC)) == folder


def test_named_headers_are_captured_and_no_others(platform: Platform, written: dict[str, bytes]) -> None:
    headers = {"Content-Type": JSON, "X-Tenant": "north", "X-Other": "secret", "x-request-id": "mine"}
    collect(platform, collector(headers=("x-tenant",)), lambda agent: [agent.request("POST", "/", headers, b"1")])
    (record,) = records(written, "request")
    assert (record["xtenant"], record["correlationid"]) == ("north", "mine")
    assert "secret" not in json.dumps(record)


def test_what_the_storage_refuses_is_dropped_with_the_reason_and_the_next_is_written(
    platform: Platform, written: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    append: Callable[..., Awaitable[None]] = blobs.append
    failures = [AzureError(404, "ContainerNotFound", "there is no container")]

    async def failing(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        await append(*arguments)

    monkeypatch.setattr(blobs, "append", failing)

    def score(agent: Agent) -> None:
        sampled = agent.request("POST", "/", {"Content-Type": JSON}, b"1")
        agent.response(sampled, JSON, b"2")

    said = collect(platform, collector(), score)
    assert said == ["data collector: request: dropped 1 records: there is no container"]
    assert [each["data"] for each in records(written, "response")] == [2]


def test_the_scoring_script_alone_knows_the_agents_secret(platform: Platform, written: dict[str, bytes]) -> None:
    async def run() -> list[int]:
        agent = Agent(platform, Collector("/deployments/blue", {"inputs": INPUTS}, "Hour", ()), list[str]().append)
        await agent.open()
        login, _, host = agent.host.rpartition("@")
        basic = f"Basic {base64.b64encode(login.encode()).decode()}"
        wrong = f"Basic {base64.b64encode(b'agent:0').decode()}"
        headers = {"ce-type": "azureml.inference.inputs", "Content-Type": JSON}
        found = []
        async with aiohttp.ClientSession() as session:
            for given in ({}, {"Authorization": wrong}, {"Authorization": basic}):
                url = f"http://{host}:{agent.port}/modeldata/log"
                async with session.post(url, headers={**headers, **given}, data=b"[1]") as answer:
                    found.append(answer.status)
        await agent.close()
        return found

    assert asyncio.run(run()) == [403, 403, 200]
    assert len(records(written, "inputs")) == 1
