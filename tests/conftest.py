"""How `pytest -n 2` shares the tests out: what sets up much for its session stays together, the longest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

# Longest first: at the end there are small files left with which both processes end at about the same time.
_ORDER = ("tests/e2e/", "tests/conformance/", "tests/unit/")
# Each of these is one process's: a platform of its own, and endpoints with model servers that their files share.
_TOGETHER = ("tests/e2e/", "tests/conformance/test_online_endpoints")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give a process whole files, one after another."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((group for group in _TOGETHER if file.startswith(group)), file)

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the folders in order where they are shared out; alone they run in the order of the command line."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((i for i, each in enumerate(_ORDER) if item.nodeid.startswith(each)), 0))
