from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amlite.core import private_folder
from amlite.core.platform import Platform
from amlite.core.processes import Children
from amlite.core.store import Store


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Return a platform without listeners, whose environments are kept in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    state = tmp_path / "state"
    state.mkdir()
    store = Store(state / "amlite.db")
    yield Platform(state, store, Children(state))
    private_folder.remove(state)
    store.close()
