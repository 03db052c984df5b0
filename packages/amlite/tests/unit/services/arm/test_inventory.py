"""The filter of lists of resources."""

from __future__ import annotations

import pytest

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.arm import inventory


@pytest.mark.attack
@pytest.mark.parametrize("filter_", [
        "a and " + "''" * 200 + "'", "name eq '" + "''" * 200 + " and ", "a and" + " " * 60_000 + "b", "'" * 60_001,
        "a and " * 10_000, " and" * 10_000,
    ],
)  # fmt: skip
def test_a_filter_of_many_quotes_is_refused_at_once(platform: Platform, filter_: str) -> None:
    """A pattern that can match the quotes in many ways would not end."""
    with pytest.raises(AzureError, match="Invalid \\$filter"):
        inventory.resources(platform, "/subscriptions/s", filter_)


def test_a_word_inside_a_text_joins_no_conditions(platform: Platform) -> None:
    assert inventory.resources(platform, "/subscriptions/s", "name eq 'it''s or' or name eq 'a and b'") == []


@pytest.mark.attack
def test_a_filter_of_many_conditions_is_read_at_once(platform: Platform) -> None:
    assert inventory.resources(platform, "/subscriptions/s", " and ".join(["name eq 'a'"] * 4000)) == []
