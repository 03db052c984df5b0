"""The faults of `make chaos FAULTS=…`: together, they are a given share of the requests."""

from __future__ import annotations

import pytest

from amlite.core.faults import Faults
from tests.chaos.faults import KINDS, rules


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_faults_of_a_series_add_up_to_its_rate(kind: str) -> None:
    passes = 1.0
    for each in rules(kind, 0.3, seed=1):
        passes *= 1 - each["rate"]
    assert 1 - passes == pytest.approx(0.3)


@pytest.mark.parametrize("kind", list(KINDS))
def test_amlite_takes_the_faults_of_a_series(kind: str) -> None:
    faults = Faults()
    for each in rules(kind, 0.3, seed=1):
        faults.add(each)
    assert len(faults.list()) == len(KINDS[kind])
