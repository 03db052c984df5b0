"""Listings of files in a state: small in outputs, whole in inputs, whatever release wrote them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pulumi_azureml.operations.listings import as_kept, packed, unpacked


def listing(count: int) -> dict[str, str]:
    names = [f"ml/step/src/module_{number}.py" for number in range(count)]
    return {name: hashlib.sha256(name.encode()).hexdigest()[:12] for name in names}


def props(count: int) -> dict[str, Any]:
    definition = {"files": ["a.py"]}
    return {"name": "step", "files": listing(count), "definition": definition, "metadata": {}}


def endpoint(count: int) -> dict[str, Any]:
    return {"name": "flights", "files": {}, "deployment": {"name": "blue", "files": listing(count)}}


def test_what_is_packed_is_a_third_and_comes_back_whole() -> None:
    for whole in (props(50), endpoint(50), {**endpoint(0), "deployment": None}):
        small = packed(whole)
        assert unpacked(small) == whole
        assert unpacked(whole) == whole
    assert len(json.dumps(packed(props(50))["files"])) < len(json.dumps(listing(50))) / 2.4
    assert isinstance(packed(endpoint(50))["deployment"]["files"], str)
    assert packed(props(50))["definition"] == {"files": ["a.py"]}
    assert packed(props(0)) == props(0)


def test_a_refresh_leaves_a_listing_as_the_state_has_it() -> None:
    """States of earlier releases list files in their outputs, and a refresh that finds no change writes nothing."""
    for whole in (props(3), endpoint(3)):
        for kept in (whole, packed(whole)):
            assert as_kept({**unpacked(kept), "metadata": {"description": "theirs"}}, kept) == {
                **kept,
                "metadata": {"description": "theirs"},
            }
