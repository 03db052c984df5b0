"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_fixtures.fake_endpoint import (
    FakeEndpoint,
    prepared,
)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeEndpoint]:
    fake = prepared(monkeypatch, tmp_path)
    yield fake
    fake.serves()
