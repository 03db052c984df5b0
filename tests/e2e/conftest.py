"""What the files share: a platform that `make up` brought up, and a local Azure for small projects of assets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from azureml_fixtures.engine_fixtures import azure, make, signed_in
from tests.checkout import Checkout, checkout

__all__ = ["azure", "make", "signed_in"]


@dataclass(frozen=True)
class Platform:
    """A clone whose stack `local` is up, and what `make up` printed."""

    clone: Checkout
    printed: str

    def run(self, command: str, expect: int = 0) -> str:
        """Run a shell command in the clone; see `Checkout.run`."""
        return self.clone.run(command, expect)

    def local(self, command: str, expect: int = 0) -> str:
        """Run a command against the local Azure."""
        return self.run(f".venv/bin/amlite run -- {command}", expect)


@pytest.fixture(scope="session")
def new_clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Checkout]]:
    """Return a function that makes a fresh clone of the working tree."""
    with ExitStack() as clones:
        yield lambda: clones.enter_context(checkout(tmp_path_factory.mktemp("clone")))


@pytest.fixture(scope="session")
def platform(new_clone: Callable[[], Checkout]) -> Iterator[Platform]:
    """Bring the stack `local` up in a fresh clone; take it down at the end, when nothing may be left running."""
    clone = new_clone()
    yield Platform(clone, clone.run("make up"))
    clone.run("make down")
    assert clone.leftovers() == []
