"""Which tests exercise which operation: a file that is committed, and the pytest plugin that writes it.

    PYTHONPATH=packages/amlite/tests python -m pytest -n 2 -p operation_coverage.record PATHS

The plugin reads amlite's log of requests. A test exercises an operation if it passes, and if during its own time, not
that of its fixtures, amlite answers the operation with a status of success that Microsoft's client accepts. What was
recorded of tests that do not run stays.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from amlite.core.routing import ARM_HOST
from operation_coverage import answers
from operation_coverage.operations import Operation, machine_learning, others

FILE = Path(__file__).with_name("record.json")
ROOT = Path(__file__).resolve().parents[4]
# Where azure-ai-ml sends the same requests for assets of a registry: a region's host, and what stands before the path.
_REGION, _PREFIX = ".api.azureml.ms", "/mferp/managementfrontend"
_MOST_TESTS = 3
_WORD = re.compile(r"[A-Z]?[a-z]+")
_OUTPUT = "operation_coverage"
Exercised = dict[str, list[str]]  # test → operations


def load() -> dict[str, list[str]]:
    """Return the tests of each operation, the most telling first."""
    recorded: dict[str, list[str]] = json.loads(FILE.read_text("utf-8"))
    return recorded


def merged(recorded: Mapping[str, list[str]], exercised: Exercised) -> dict[str, list[str]]:
    """Return the record after a run: what the tests of the run exercise now, and what the others did before."""
    tests: dict[str, list[str]] = {
        operation: [test for test in found if test not in exercised and exists(test)]
        for operation, found in recorded.items()
    }
    for test in exercised:
        for operation in exercised[test]:
            tests.setdefault(operation, []).append(test)

    def telling(operation: str, test: str) -> tuple[int, int, str]:
        """Those named like the operation come first, then those that exercise few others."""
        words = {word.lower().removesuffix("s") for word in _WORD.findall(operation.rpartition("/")[2])}
        named = test.rpartition("::")[2]
        return -sum(word in named for word in words), len(exercised.get(test, ())), test

    return {
        operation: sorted(found, key=functools.partial(telling, operation))[:_MOST_TESTS]
        for operation, found in sorted(tests.items())
        if found
    }


def exists(test: str) -> bool:
    """Whether `path::function` is there, the path relative to the repository."""
    path, _, function = test.partition("::")
    file = ROOT / path
    return file.is_file() and f"def {function}(" in file.read_text("utf-8")


_run: dict[str, set[str]] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note which operations a test exercises, if it passes."""
    log = _log(item)
    start = log.stat().st_size if log else 0
    yield
    if log is not None:
        with log.open("rb") as file:
            file.seek(start if log.stat().st_size >= start else 0)  # amlite began a new file
            lines = [json.loads(line) for line in file]
        # One function may be many tests.
        _run.setdefault(item.nodeid.partition("[")[0], set()).update(*map(_exercised, lines))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what this process saw to the one that writes it, or write it."""
    exercised = {test: sorted(found) for test, found in _run.items()}
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = exercised
    elif exercised:
        FILE.write_text(json.dumps(merged(load(), exercised), indent=1) + "\n", "utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what another process saw."""
    for test, found in getattr(node, "workeroutput", {}).get(_OUTPUT, {}).items():
        _run.setdefault(test, set()).update(found)


def _log(item: pytest.Item) -> Path | None:
    azure = getattr(item, "funcargs", {}).get("amlite")
    return azure.state / "logs" / "requests.jsonl" if azure is not None else None


def _exercised(line: Mapping[str, Any]) -> set[str]:
    host, path, status = str(line["host"]).partition(":")[0], str(line["path"]), int(line["status"])
    if host.endswith(_REGION):
        path = path.removeprefix(_PREFIX)
    elif host != ARM_HOST:
        return set()
    if line["method"] == "DELETE" and status == 204:  # there was nothing to delete
        return set()
    return {each.id for each in _operations(line["method"], path) if status in each.statuses}


@functools.cache
def _operations(method: str, path: str) -> list[Operation]:
    return [each for each in _answered().get(method, []) if each.matches(path)]


@functools.cache
def _answered() -> dict[str, list[Operation]]:
    by_method: dict[str, list[Operation]] = {}
    for each in (*machine_learning(), *others()):
        if answers.find(each) is not None:
            by_method.setdefault(each.method, []).append(each)
    return by_method
