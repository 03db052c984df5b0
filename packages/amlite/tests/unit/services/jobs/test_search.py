from __future__ import annotations

import itertools
from typing import Any

import pytest

from amlite.services.jobs.search import SearchError, best, points, stopping

RANDOM = {"samplingAlgorithmType": "Random"}
GRID = {"samplingAlgorithmType": "Grid"}


def draws(distribution: list[Any], count: int = 300) -> list[Any]:
    return [point["x"] for point in itertools.islice(points({"x": distribution}, RANDOM, "seed"), count)]


@pytest.mark.parametrize(
    ("distribution", "low", "high"),
    [
        (["uniform", [0.5, 2]], 0.5, 2),
        (["loguniform", [-2, 0]], 0.1353, 1),
        (["quniform", [0, 10, 2.5]], 0, 10),
        (["randint", [4]], 0, 3),
        (["lognormal", [0, 0.1]], 0.5, 2),
        (["normal", [5, 0.1]], 4, 6),
    ],
)
def test_draws_stay_where_the_distribution_is(distribution: list[Any], low: float, high: float) -> None:
    found = draws(distribution)
    assert low <= min(found) < max(found) <= high
    assert max(found) - min(found) > (high - low) / 4


def test_steps_are_multiples() -> None:
    assert set(draws(["quniform", [0, 10, 2.5]])) == {0, 2.5, 5, 7.5, 10}
    assert set(draws(["choice", [["a", 1]]])) == {"a", 1}
    assert all(value % 3 == 0 for value in draws(["qnormal", [0, 10, 3]]))


def test_a_seed_gives_the_same_points_again() -> None:
    space: dict[str, list[Any]] = {"x": ["uniform", [0, 1]], "y": ["choice", [[1, 2, 3]]]}

    def first(sampling: dict[str, Any], seed: str) -> list[Any]:
        return list(itertools.islice(points(space, sampling, seed), 5))

    assert first(RANDOM, "job") == first(RANDOM, "job") != first(RANDOM, "other")
    assert first({**RANDOM, "seed": 7}, "job") == first({**RANDOM, "seed": 7}, "other")


def test_a_grid_has_every_combination_once() -> None:
    space: dict[str, list[Any]] = {"x": ["choice", [[1, 2]]], "y": ["choice", [["a", "b"]]]}
    assert [tuple(point.values()) for point in points(space, GRID, "")] == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("space", "sampling", "said"),
    [
        ({}, RANDOM, "has no parameters"),
        ({"x": ["unifrom", [0, 1]]}, RANDOM, "'unifrom' is not a valid distribution"),
        ({"x": ["uniform", [0]]}, RANDOM, "uniform takes min_value, max_value"),
        ({"x": ["choice", [[]]]}, RANDOM, "at least one value"),
        ({"x": ["choice", [[{"y": 1}]]]}, RANDOM, "does not support nested values"),
        ({"x": ["uniform", [0, 1]]}, GRID, "grid sampling takes choices only; these are not choices: x"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space: Any, sampling: Any, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        points(space, sampling, "")


def test_the_best_trial_has_the_best_value_ever_logged() -> None:
    values = {"a": [0.1, 0.9, 0.2], "b": [0.5], "c": []}
    assert best(values, maximize=True) == "a"
    assert best({"a": [3, 2], "b": [2.5]}, maximize=False) == "a"
    assert best({"c": []}, maximize=True) is None


BANDIT = {"policyType": "Bandit", "evaluationInterval": 1}


@pytest.mark.parametrize(
    ("policy", "trial", "maximize", "gone"),
    [
        ({**BANDIT, "slackFactor": 0.2}, [0.66], True, True),  # 0.8 / 1.2 = 0.667
        ({**BANDIT, "slackFactor": 0.2}, [0.67], True, False),
        ({**BANDIT, "slackAmount": 0.1}, [0.69], True, True),
        ({**BANDIT, "slackAmount": 0.1}, [0.71], True, False),
        ({**BANDIT, "slackFactor": 0.2}, [0.97], False, True),  # 0.8 * 1.2 = 0.96
        ({**BANDIT, "slackFactor": 0.2}, [0.95], False, False),
        ({**BANDIT, "slackAmount": 0.1, "delayEvaluation": 2}, [0.1], True, False),
        ({**BANDIT, "slackAmount": 0.1, "evaluationInterval": 2}, [0.1], True, False),
        ({**BANDIT, "slackAmount": 0.1, "evaluationInterval": 2}, [0.1, 0.1], True, True),
        (None, [0.0], True, False),
    ],
)
def test_a_bandit_gives_up_what_is_far_behind(policy: Any, trial: list[float], maximize: bool, gone: bool) -> None:
    values = {"leader": [0.8, 0.8], "trial": trial}
    assert stopping(policy)("trial", values, maximize) is gone
    assert stopping(policy)("leader", values, maximize) is False


def test_the_median_of_running_averages_is_the_bar() -> None:
    decide = stopping({"policyType": "MedianStopping", "evaluationInterval": 1})
    values = {"a": [0.9, 0.9], "b": [0.5, 0.5], "c": [0.1, 0.2]}
    assert [decide(name, values, True) for name in values] == [False, False, True]
    assert [decide(name, values, False) for name in values] == [True, False, False]


def test_truncation_gives_up_the_lowest_share() -> None:
    decide = stopping({"policyType": "TruncationSelection", "truncationPercentage": 50, "evaluationInterval": 1})
    values = {"a": [0.9], "b": [0.8], "c": [0.2], "d": [0.1]}
    assert [decide(name, values, True) for name in values] == [False, False, True, True]


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(SearchError, match="'Luck' is not a valid early termination policy"):
        stopping({"policyType": "Luck"})
