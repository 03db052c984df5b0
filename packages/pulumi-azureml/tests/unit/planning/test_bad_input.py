"""What is wrong gets one clear error: the file, the place, the reason and the fix. `listing.txt` has each.

After a change of a message, run `python -m azureml_fixtures.bad_input.listing` and read the difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_fixtures.bad_input import CASES
from azureml_fixtures.bad_input.listing import errors, read

GROUPS = sorted({name.partition(":")[0] for name in CASES})


@pytest.mark.parametrize("group", GROUPS)
def test_each_input_gets_the_error_that_is_listed(group: str, tmp_path: Path) -> None:
    cases = [name for name in CASES if name.startswith(f"{group}:")]
    found = {name: errors(name, tmp_path / str(number), tmp_path / "cache") for number, name in enumerate(cases)}
    assert {name: len(problems) for name, problems in found.items()} == dict.fromkeys(cases, 1)
    listed = read()
    assert {name: problems[0] for name, problems in found.items()} == {name: listed[name] for name in cases}


def test_the_listing_has_every_input_and_each_says_what_to_do() -> None:
    listed = read()
    assert list(listed) == list(CASES)
    assert len(CASES) >= 200
    for name, error in listed.items():
        place, _, fix = error.partition("\n    fix: ")
        assert place.partition(": ")[0].count("/") or place.startswith("Pulumi"), name
        assert fix, name
