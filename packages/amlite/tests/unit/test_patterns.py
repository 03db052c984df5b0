"""No pattern reads a text again for each of its characters: nothing interrupts it, and amlite answers nobody."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

import amlite

pytestmark = pytest.mark.attack
# What is repeated. A pattern that takes the square of a text's length takes seconds for `LENGTH` characters.
PARTS = [
    "a", "A", "1", " ", "\t", "\n", "-", "_", ".", "/", "'", '"', "{", "}", "(", ")", "[", "]", "@", "$", "\\", "*",
    "?",
    ":", ",", "=", "<", ">", "|", "%", "#", "a.", "a/", "a-", "1.", "a b", "${", "@{", "{{", "' ", "a\n", "/a:", "a,",
    "P1", "FROM ", "a=\\\n",
]  # fmt: skip
LENGTH = 50_000
SECONDS = 0.5
# These are only ever matched at one place, by `fullmatch` or `match`.
AT_ONE_PLACE = {
    "amlite.core.docker_build._ESCAPE",
    "amlite.core.expressions._TOKEN",
    "amlite.core.triggers._RANGE",  # its text has at most 1,000 characters
    "amlite.services.containerregistry.routes._TAGS",
    "amlite.services.datafactory.definition._SPAN",
    "amlite.services.environments.containers._NAME",
    "amlite.services.environments.interpreters._EXACT",
    "amlite.services.environments.packages._CONDA_SPEC",
    "amlite.services.environments.packages._PINNED",
    "amlite.services.jobs.graph._STEP_INPUT",
    "amlite.services.jobs.graph._STEP_OUTPUT",
    "amlite.services.jobs.history_routes._OUTPUT",
    "amlite.services.mlflow.registry._CLAUSE",
    "amlite.services.mlflow.registry._RUN",
    "amlite.services.storage.batch._REQUEST_LINE",
}
# Programs of their own, which read nothing of others in amlite's process.
NOT_IMPORTED = re.compile(r"\.(drivers|entry|generate|__main__|mlflow_script|mlflow_score_script)\b")


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in pkgutil.walk_packages(amlite.__path__, "amlite."):
        if NOT_IMPORTED.search(module.name):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield f"{module.name}.{name}", value


class TooLongError(Exception):
    pass


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_slow(pattern: re.Pattern[str], text: str, *, searches: bool) -> bool:
    began = time.process_time()
    try:
        with limited(SECONDS * 4):
            (pattern.search if searches else pattern.fullmatch)(text)
    except TooLongError:
        pass
    return time.process_time() - began > SECONDS


def test_no_pattern_takes_longer_than_its_text() -> None:
    slow = []
    for name, pattern in patterns():
        literal = re.match(r"(?:[\w:/@#-]|\\.)*", pattern.pattern)
        begins = {"", literal[0].replace("\\", "") if literal else ""}
        for text in (f"{begin}{part * (LENGTH // len(part))}\x01" for part in PARTS for begin in begins):
            if is_slow(pattern, text, searches=name not in AT_ONE_PLACE):
                slow.append((name, text[:20]))
                break
    assert not slow, slow
