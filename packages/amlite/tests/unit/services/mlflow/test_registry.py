from __future__ import annotations

import time
from typing import Any

import pytest

from amlite.services.mlflow.registry import RegistryError, filtered

MODELS: list[dict[str, Any]] = [
    {"name": "flight-delay", "run_id": "r1", "tags": [{"key": "stage", "value": "gold"}]},
    {"name": "flight_cost", "tags": []},
]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("", ["flight-delay", "flight_cost"]),
        ("name = 'flight-delay'", ["flight-delay"]),
        ("name != 'flight-delay'", ["flight_cost"]),
        ("name LIKE 'flight%'", ["flight-delay", "flight_cost"]),
        ("name like 'FLIGHT%'", []),
        ("name ILIKE 'FLIGHT-%'", ["flight-delay"]),
        ("run_id = 'r1' AND tags.stage = 'gold'", ["flight-delay"]),
        ("run_id IN ('r1', 'r2')", ["flight-delay"]),
        ("tags.`stage` != 'gold'", ["flight_cost"]),
    ],
)
def test_filters_select_as_mlflow_does(expression: str, names: list[str]) -> None:
    assert [model["name"] for model in filtered(MODELS, expression)] == names


def test_a_malformed_filter_is_refused() -> None:
    with pytest.raises(RegistryError, match="Invalid clause in filter string: 'name ~ 3'"):
        filtered(MODELS, "name ~ 3")


@pytest.mark.attack
def test_a_filter_with_many_wildcards_takes_no_time() -> None:
    model = {"name": "a" * 250, "tags": []}
    assert filtered([model], f"name LIKE '{'%a' * 60}%b'") == []
    assert filtered([{"name": "a[b]*c?", "tags": []}], "name LIKE 'a[b]*_?'") != []


@pytest.mark.attack
@pytest.mark.parametrize(
    "expression",
    [
        f"description LIKE '%{'a' * 100_000}b'",
        " AND ".join([f"description LIKE '%{'a' * 100}%'"] * 1000),
        f"name IN ({','.join(['x'] * 500_000)})",
    ],
)
def test_a_long_filter_is_refused(expression: str) -> None:
    """No other request is answered while it compares."""
    models = [{"name": "a", "description": "a" * 100_000, "tags": []}] * 1000
    began = time.process_time()
    with pytest.raises(RegistryError, match="takes too long"):
        filtered(models, expression)
    assert time.process_time() - began < 20


@pytest.mark.attack
def test_a_filter_of_many_spaces_takes_no_time() -> None:
    with pytest.raises(RegistryError, match="Invalid clause"):
        filtered(MODELS, f"name = 'a'{' ' * 200_000}x")
