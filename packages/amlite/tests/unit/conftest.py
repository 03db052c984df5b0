"""A platform without listeners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amlite.core.platform import Platform, Work
from amlite.core.processes import Children
from amlite.core.store import Store

Opener = Callable[[], Platform]


@pytest.fixture
def works() -> dict[str, Work]:
    """The works of operations that a test's platforms know."""
    return {}


@pytest.fixture
def open_platform(tmp_path: Path, works: dict[str, Work]) -> Iterator[Opener]:
    """Return a function that opens a platform on the test's state folder, as each start of amlite does."""
    state = tmp_path / "state"
    state.mkdir()
    opened: list[Store] = []

    def open_() -> Platform:
        opened.append(Store(state / "amlite.db"))
        return Platform(state, opened[-1], Children(state), works)

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def platform(open_platform: Opener) -> Platform:
    return open_platform()
