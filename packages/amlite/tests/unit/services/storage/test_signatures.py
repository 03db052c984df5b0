"""What a signature that somebody stored in a datastore opens, by the answers of the blob service."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from amlite.core.platform import Platform
from amlite.services.storage import blobs, signatures
from amlite.services.storage.blobs import BlobPath

pytestmark = pytest.mark.attack
CONTAINER = BlobPath("account", "container")


@pytest.mark.parametrize(
    ("token", "answers", "reads", "writes"),
    [
        ("sv=1&sp=rwl&sig=valid", {"HEAD": 404, "PUT": 404}, True, True),
        ("sv=1&sp=rl&sig=valid", {"HEAD": 404, "PUT": 403}, True, False),
        ("sv=1&si=read-only&sr=c&sig=valid", {"HEAD": 404, "PUT": 403}, True, False),
        ("sp=rwl&sig=forged", {"HEAD": 404, "PUT": 403}, True, False),  # of a container that everybody may read
        ("sv=1&sp=rwl&sig=forged", {"HEAD": 403, "GET": 403, "PUT": 403}, False, False),
        ("sv=1&sp=rwl", {"HEAD": 404, "PUT": 404}, False, False),
    ],
)
async def test_only_a_write_tells_whether_a_signature_permits_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, token: str, answers: dict[str, int], reads: bool, writes: bool
) -> None:
    async def request(_platform: Platform, method: str, _blob: BlobPath, *_query: Any, **_options: Any) -> Any:
        return nullcontext(SimpleNamespace(status=answers[method]))

    monkeypatch.setattr(blobs, "request", request)
    assert await signatures.opens(platform, CONTAINER, token, "read") is reads
    assert await signatures.opens(platform, CONTAINER, token, "write") is writes
