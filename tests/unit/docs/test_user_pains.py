"""docs/user-pains.md names a test for each pain, or says that there is none; what it names exists."""

from __future__ import annotations

import re

import pytest

from tests.documentation import ROOT

_ROWS = re.findall(
    r"^\| (\d+) \| (.+?) \| (.+?) \| (.*?) ?\|$", (ROOT / "docs/user-pains.md").read_text("utf-8"), re.MULTILINE
)


def test_every_pain_has_a_row() -> None:
    assert [int(number) for number, *_ in _ROWS] == list(range(1, 47))


@pytest.mark.parametrize(("number", "pain", "here", "test"), _ROWS, ids=[row[0] for row in _ROWS])
def test_each_has_a_test_that_exists_or_says_that_it_is_not_here_yet(
    number: str, pain: str, here: str, test: str
) -> None:
    if here == "not supported yet":
        assert test == "", f"{number} ({pain}) has a test: say what is done"
        return
    path, _, name = test.strip("`").partition("::")
    text = (ROOT / path).read_text("utf-8")
    assert not name or f"def {name}(" in text, f"{path} has no {name}"
