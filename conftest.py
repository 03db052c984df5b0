"""Distribute the tests over two processes, and stop processes that a run leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import guard

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

# What one process runs, the longest first: at the end there are small files left with which all processes end at about
# the same time. A group shares what is dear to set up (a platform; a local Azure; model servers).
_GROUPS = {
    "platform": ("tests/e2e/test_whole_path", "tests/e2e/test_documented_commands"),
    "engine": ("tests/e2e/test_adoption_engine", "tests/e2e/test_release_engine"),
    "assets": ("packages/pulumi-azureml/tests/engine/",),
    "packaging": ("packages/amlite/tests/packaging/",),
    "serving": ("packages/amlite/tests/conformance/test_online_endpoints",),
}
_ORDER = [
    *(file for files in _GROUPS.values() for file in files),
    "tests/e2e/",
    "packages/amlite/tests/conformance/",
    "packages/pulumi-azureml/tests/integration/",
    "tests/integration/",
    "packages/",
    "tests/unit/",
]
# Their tests run as tests of repositories of their own, started by the tests of their package.
collect_ignore_glob = ["packages/*/examples/*"]
# Set while conftest.py is read, before any test module keeps the environment: what this process starts carries it.
os.environ[guard.VARIABLE] = uuid.uuid4().hex
# A shell lets what it starts in the background ignore Ctrl-C, and each process passes that on to its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _rank(nodeid: str) -> int:
    return next((rank for rank, start in enumerate(_ORDER) if nodeid.startswith(start)), len(_ORDER))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give a process whole groups and whole files, one after another."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((group for group, files in _GROUPS.items() if file.startswith(files)), file)

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in order where they are shared out; alone they run in the order of the command line."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def nothing_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End whatever this process leaves running, also when it is killed; when it ends by itself, nothing may be left."""
    command = [sys.executable, "-m", "tests.guard", os.environ[guard.VARIABLE], str(tmp_path_factory.getbasetemp())]
    # In a session of its own: Ctrl-C ends the tests, and then they are gone.
    with subprocess.Popen(
        command, cwd=guard.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as watching:
        yield
        left, _ = watching.communicate()
    assert left == ""
