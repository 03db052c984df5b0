"""Every check of the gate: both directions, margins, slices, a first model, and values that are missing."""

import math
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.gate.src.rules import MEASURED, Rules
from release.gate.decision import Decision

TABLE = pd.DataFrame(
    {
        "label": [0.0, 0.0, 1.0, 1.0] * 2,
        "score": [0.1, 0.4, 0.35, 0.8, 0.1, 0.2, 0.7, 0.9],
        "champion_score": [0.1, 0.4, 0.35, 0.8] * 2,
        "carrier": ["UA"] * 4 + ["DL"] * 4,
        "month": [11, 11, 11, 11, 12, 12, 12, 12],
    }
)


@pytest.fixture
def decision(step: Callable[[str, str], ModuleType]) -> ModuleType:
    return step("ml/gate/src", "decision")


@pytest.fixture
def decide(decision: ModuleType) -> Callable[..., dict[str, Any]]:
    """Decides about one rule. `champion` is None, or the version of the registered model."""

    def run(
        rule: Mapping[str, Any],
        logged: Mapping[str, float],
        table: pd.DataFrame = TABLE,
        champion: str | None = "3",
        problem: str = "",
    ) -> dict[str, Any]:
        rules = Rules.model_validate({"rules": [rule]})
        compared = decision.Champion(champion, problem) if champion else None
        predictions = decision.Predictions("classification", table, "run-1", compared, "no model is registered yet")
        decided: dict[str, Any] = decision.decide(rules, logged, predictions, "flight-delay")
        return decided

    return run


HIGHER = {"metric": "roc_auc", "direction": "higher"}
LOWER = {"metric": "brier", "direction": "lower"}


@pytest.mark.parametrize(
    ("rule", "value", "champion", "flag", "reason"),
    [
        ({**HIGHER, "minimum": 0.65}, 0.65, None, 1, "^roc_auc 0.6500 reaches the minimum 0.6500$"),
        ({**HIGHER, "minimum": 0.65}, 0.6499, None, 0, "^roc_auc 0.6499 is below the minimum 0.6500$"),
        ({**LOWER, "maximum": 0.2}, 0.2, None, 1, "^brier 0.2000 is within the maximum 0.2000$"),
        ({**LOWER, "maximum": 0.2}, 0.2001, None, 0, "^brier 0.2001 is above the maximum 0.2000$"),
        ({**HIGHER, "margin": 0.01}, 0.70, 0.69, 1, "version 3 .0.6900. by .0.0100, at least the margin 0.0100$"),
        ({**HIGHER, "margin": 0.01}, 0.70, 0.70, 0, r"version 3 .0.7000. by \+0.0000, less than the margin 0.0100$"),
        ({**HIGHER, "margin": 0.01}, 0.70, 0.80, 0, "by -0.1000, less than"),
        ({**LOWER, "margin": 0.01}, 0.20, 0.21, 1, r"^brier improves on version 3 .0.2100. by \+0.0100, at least"),
        ({**LOWER, "margin": 0.01}, 0.20, 0.20, 0, r"by \+0.0000, less than"),
        ({**LOWER, "margin": 0.01}, 0.21, 0.20, 0, "by -0.0100, less than"),
        # A tie, and a model that is a bit worse.
        ({**HIGHER, "margin": 0}, 0.70, 0.70, 1, "at least the margin 0.0000"),
        ({**HIGHER, "margin": -0.01}, 0.70, 0.705, 1, "by -0.0050, at least the margin -0.0100"),
        # 0.7 - 0.6 is less than 0.1 in binary.
        ({**HIGHER, "margin": 0.1}, 0.7, 0.6, 1, "at least the margin 0.1000"),
        # Both parts of a rule must hold.
        ({**HIGHER, "minimum": 0.65, "margin": 0.01}, 0.64, 0.5, 0, "^roc_auc 0.6400 is below the minimum 0.6500$"),
    ],
)
def test_rule_holds_or_not(
    decide: Callable[..., dict[str, Any]], rule: dict[str, Any], value: float, champion: float | None, flag: int,
    reason: str,
) -> None:  # fmt: skip
    name = rule["metric"]
    logged = {name: value} | ({f"champion_{name}": champion} if champion is not None else {})
    decided = decide(rule, logged)
    assert decided["deploy_flag"] == flag
    assert re.search(reason, decided["reason"])
    (check,) = decided["checks"]
    assert (check["passed"], check["value"], check["champion"]) == (bool(flag), value, champion)


def test_first_model_has_no_margin_to_reach(decide: Callable[..., dict[str, Any]]) -> None:
    decided = decide({**HIGHER, "minimum": 0.65, "margin": 0.01}, {"roc_auc": 0.7}, champion=None)
    assert decided["deploy_flag"] == 1
    assert decided["reason"] == "roc_auc 0.7000 reaches the minimum 0.6500; no model is registered yet"
    assert decided["champion"] is None


@pytest.mark.parametrize(
    ("logged", "reason"),
    [
        ({}, "roc_auc has no value: the evaluation run has no metric roc_auc; it has none"),
        ({"auc": 0.9}, "the evaluation run has no metric roc_auc; it has auc"),
        ({"roc_auc": math.nan}, "roc_auc has no value: the evaluation run logged nan"),
        ({"roc_auc": math.inf}, "the evaluation run logged inf"),
    ],
)
def test_metric_without_a_value_refuses_the_model(
    decide: Callable[..., dict[str, Any]], logged: dict[str, float], reason: str
) -> None:
    decided = decide({**HIGHER, "minimum": -1}, logged)
    assert decided["deploy_flag"] == 0
    assert reason in decided["reason"]
    assert decided["checks"][0]["value"] is None


@pytest.mark.parametrize(
    ("champion", "problem", "reason"),
    [
        (None, "", "version 3 cannot be compared: the evaluation run has no metric champion_roc_auc"),
        (math.nan, "", "version 3 cannot be compared: the evaluation run logged nan"),
        (
            0.1,
            "it cannot score this hold-out: no module",
            "version 3 cannot be compared: it cannot score this hold-out",
        ),
    ],
)
def test_registered_model_without_a_value_refuses_a_margin_and_nothing_else(
    decide: Callable[..., dict[str, Any]], champion: float | None, problem: str, reason: str
) -> None:
    logged = {"roc_auc": 0.9} | ({} if champion is None else {"champion_roc_auc": champion})
    decided = decide({**HIGHER, "margin": -1}, logged, problem=problem)
    assert decided["deploy_flag"] == 0
    assert reason in decided["reason"]
    assert decide({**HIGHER, "minimum": 0.65}, logged, problem=problem)["deploy_flag"] == 1


def test_slices_use_the_rules_threshold_and_their_own(decide: Callable[..., dict[str, Any]]) -> None:
    # UA: 0.75, DL: 1.0
    rule = {**HIGHER, "minimum": 0.8, "slices": ["carrier"]}
    decided = decide(rule, {"roc_auc": 0.9})
    assert decided["deploy_flag"] == 0
    assert decided["reason"] == "carrier=UA: roc_auc 0.7500 is below the minimum 0.8000"
    assert [(check["slice"], check["passed"], check["rows"]) for check in decided["checks"]] == [
        (None, True, 8),
        ("carrier=DL", True, 4),
        ("carrier=UA", False, 4),
    ]
    own = decide({**rule, "slices": [{"column": "carrier", "minimum": 0.75}]}, {"roc_auc": 0.9})
    assert own["deploy_flag"] == 1
    assert own["reason"] == "roc_auc 0.9000 reaches the minimum 0.8000; 2 checks of slices passed"
    assert own["slices"][1] == {
        "slice": "carrier=UA", "rows": 4, "metrics": {"roc_auc": 0.75}, "champion_metrics": {"roc_auc": 0.75},
    }  # fmt: skip
    named = decide({**rule, "slices": [{"column": "carrier", "values": ["DL"]}]}, {"roc_auc": 0.9})
    assert named["deploy_flag"] == 1


def test_slices_are_compared_only_with_a_margin_of_their_own(decide: Callable[..., dict[str, Any]]) -> None:
    rule = {**HIGHER, "minimum": 0.1, "margin": 0.01}
    logged = {"roc_auc": 0.9, "champion_roc_auc": 0.8}
    assert decide({**rule, "slices": ["carrier"]}, logged)["deploy_flag"] == 1
    decided = decide({**rule, "slices": [{"column": "carrier", "margin": 0.01}]}, logged)
    assert decided["reason"] == (
        "carrier=UA: roc_auc improves on version 3 (0.7500) by +0.0000, less than the margin 0.0100"
    )


def test_numbers_are_values_of_a_slice_too(decide: Callable[..., dict[str, Any]]) -> None:
    decided = decide({**HIGHER, "minimum": 0.9, "slices": [{"column": "month", "values": [12]}]}, {"roc_auc": 0.95})
    assert decided["deploy_flag"] == 1


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("airport", "airport: roc_auc has no value: the predictions have no such column; columns: label, score"),
        ({"column": "carrier", "values": ["XX"]}, "carrier=XX: roc_auc has no value: the hold-out has 0 rows"),
        ({"column": "carrier", "values": ["UA"], "minimum_rows": 5}, "has 4 rows with this value; 5 are needed"),
        (
            {"column": "carrier", "minimum_rows": 5},
            "carrier: roc_auc has no value: no value of the column has at least 5",
        ),
        ("id", "id: roc_auc has no value: the column has 60 values; list up to 50 in `values`"),
        ({"column": "id", "values": [1]}, "id=1: roc_auc has no value: all 1 rows have the same label"),
    ],
)
def test_slice_that_cannot_be_checked_refuses_the_model(
    decide: Callable[..., dict[str, Any]], part: Any, reason: str
) -> None:
    table = pd.concat([TABLE, TABLE.iloc[:4]] + [TABLE.iloc[:4].assign(carrier=None)] * 12)
    table["id"] = range(len(table))
    decided = decide(
        {**HIGHER, "minimum": 0, "slices": [part]}, {"roc_auc": 0.9}, table.assign(carrier=carriers(table))
    )
    assert decided["deploy_flag"] == 0
    assert reason in decided["reason"]


def carriers(table: pd.DataFrame) -> list[str | None]:
    """Four rows of UA; the others have no carrier."""
    return ["UA"] * 4 + [None] * (len(table) - 4)


def test_rare_values_are_not_checked_unless_they_are_named(decide: Callable[..., dict[str, Any]]) -> None:
    table = pd.concat([TABLE, TABLE.iloc[:1].assign(carrier="XX")])
    part = {"column": "carrier", "minimum_rows": 4}
    decided = decide({**HIGHER, "minimum": 0.1, "slices": [part]}, {"roc_auc": 0.9}, table)
    assert [check["slice"] for check in decided["checks"]] == [None, "carrier=DL", "carrier=UA"]
    assert decided["deploy_flag"] == 1


def test_empty_prediction_in_a_slice_refuses_the_model(decide: Callable[..., dict[str, Any]]) -> None:
    table = TABLE.assign(score=[np.nan, *TABLE["score"][1:]])
    decided = decide({**HIGHER, "minimum": 0.1, "slices": ["carrier"]}, {"roc_auc": 0.9}, table)
    assert decided["reason"] == "carrier=UA: roc_auc has no value: 1 predictions are empty or not finite"


def test_many_reasons_are_shortened(decide: Callable[..., dict[str, Any]]) -> None:
    table = pd.concat([TABLE.assign(carrier=f"C{number}") for number in range(9)])
    decided = decide({**HIGHER, "minimum": 0.99, "slices": ["carrier"]}, {"roc_auc": 0.9}, table)
    assert decided["reason"].endswith("carrier=C3: roc_auc 0.9375 is below the minimum 0.9900; and 5 more")


def test_decision_has_the_metrics_of_both_models(decide: Callable[..., dict[str, Any]]) -> None:
    logged = {"roc_auc": 0.9, "champion_roc_auc": 0.8, "rows": 8, "odd": math.nan}
    decided = decide({**HIGHER, "minimum": 0.1}, logged)
    assert decided["metrics"] == {"odd": None, "roc_auc": 0.9, "rows": 8}
    assert decided["champion"] == {"version": "3", "problem": "", "metrics": {"roc_auc": 0.8}}


def test_decision_has_the_form_that_the_release_reads(decide: Callable[..., dict[str, Any]]) -> None:
    decided = decide({**HIGHER, "minimum": 0.8, "slices": ["carrier"]}, {"roc_auc": 0.9, "champion_roc_auc": 0.8})
    assert Decision.model_validate(decided).model_dump() == decided


def test_gate_has_a_function_for_each_metric_that_rules_may_slice(step: Callable[[str, str], ModuleType]) -> None:
    metrics = step("ml/gate/src", "metrics")
    assert set(metrics.METRICS) == set(MEASURED)
    label = np.array([0.0, 1.0, 1.0, 0.0])
    for name, direction in MEASURED.items():
        good, _ = metrics.measure(name, label, np.array([0.1, 0.9, 0.8, 0.2]))
        bad, _ = metrics.measure(name, label, np.array([0.9, 0.1, 0.3, 0.6]))
        assert (good > bad) is (direction == "higher"), name
