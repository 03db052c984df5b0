"""The demo of releases can fail: its callers notice what they do not get, and its check of a canary refuses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.hosts.server import Answer, FakeHost, Request
from tests.load import __main__ as load
from tests.release_demo import compare


class Endpoint(FakeHost):
    """Answers requests with the codes in `codes`, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.codes = [200]
        self.enough = threading.Event()
        self.uri = f"{self.url}/score"

    def answer(self, request: Request) -> Answer:
        if len(self.requests) == 4:
            self.enough.set()
        code = self.codes[(len(self.requests) - 1) % len(self.codes)]
        return Answer(code, {"predictions": [{"delay_probability": 0.4}]})


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as made:
        yield made


async def test_callers_count_every_request_that_got_no_prediction(endpoint: Endpoint) -> None:
    endpoint.codes = [200, 503]
    ended, results = asyncio.Event(), Counter[str]()
    async with aiohttp.ClientSession() as session:
        sender = asyncio.create_task(load.send(session, endpoint.uri, b"{}", ended, results))
        await asyncio.to_thread(endpoint.enough.wait)
        ended.set()
        await sender
    assert results["answered"] + results["503"] == sum(results.values()) == len(endpoint.requests)
    assert min(results["answered"], results["503"]) >= 2


@pytest.mark.parametrize(("before", "refuses"), [(0.45, False), (0.7, True)])
def test_the_check_of_a_canary_refuses_other_predictions(
    before: float, refuses: bool, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT_KEY": "k", "DEPLOYMENT_NAME": "blue-2", "SCORING_URI": endpoint.uri}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRAFFIC_PERCENT", "10")
    known, refused = tmp_path / "known.json", tmp_path / "refused"
    known.write_text(json.dumps([before]))
    if refuses:
        with pytest.raises(SystemExit):
            compare.main(str(known), str(refused))
    else:
        compare.main(str(known), str(refused))
    assert refused.exists() is refuses
    assert [each.headers["azureml-model-deployment"] for each in endpoint.requests] == ["blue-2"]
