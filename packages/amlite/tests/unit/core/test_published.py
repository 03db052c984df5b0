"""Fields of bodies that have no published model."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.core.errors import AzureError
from amlite.core.published import fields

pytestmark = pytest.mark.attack
KINDS = {"text": "str", "number": "int", "flag": "bool", "texts": "list:str", "objects": "list:map:str"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", {}), ("text", ["a"]), ("number", "a"), ("number", 1.5), ("number", 10**25), ("number", True),
        ("flag", 1), ("texts", "a"), ("texts", [[]]), ("objects", {}), ("objects", ["a"]), ("objects", [{"a": []}]),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(AzureError, match=name) as raised:
        fields({name: value}, KINDS)
    assert (raised.value.status, raised.value.code) == (400, "InvalidRequestContent")


def test_scalars_become_what_the_field_holds_and_nulls_are_left_out() -> None:
    given = {"text": 1, "number": "7", "flag": "true", "texts": None, "other": {"kept": None}}
    assert fields(given, KINDS) == {"text": "1", "number": 7, "flag": True, "other": {"kept": None}}
