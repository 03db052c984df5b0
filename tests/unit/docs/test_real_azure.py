"""docs/real-azure.md names a test for each documented behaviour of Azure. What it names exists."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.steps import STEPS
from tests.documentation import ROOT

_TEXT = (ROOT / "docs/real-azure.md").read_text("utf-8")
_NAMED = re.findall(r"`([\w/.-]+\.py)::(\w+)`", _TEXT)
_FACTS = re.findall(r"^\| ([CL]\d+) \| .+ \| `.+` \|$", _TEXT, re.MULTILINE)


def test_every_fact_has_a_test_of_the_program() -> None:
    assert [*(f"C{number}" for number in range(1, 11)), *(f"L{number}" for number in range(1, 11))] == _FACTS


@pytest.mark.parametrize(("path", "name"), _NAMED, ids=[name for _, name in _NAMED])
def test_each_named_test_exists(path: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / path).read_text("utf-8"), f"{path} has no {name}"


def test_every_step_of_the_acceptance_run_is_described() -> None:
    assert [step.name for step in STEPS if f"\n| {step.name} | " not in _TEXT] == []
