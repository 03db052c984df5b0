"""The search space of a sweep, and the early termination of trials."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from amlite.core.wire import Json

Space = Mapping[str, Sequence[Any]]
Point = dict[str, Any]
# The arguments of each distribution, in the order of the service's models.
ARGUMENTS = {
    "choice": ("values",),
    "randint": ("upper",),
    "uniform": ("min_value", "max_value"),
    "quniform": ("min_value", "max_value", "q"),
    "loguniform": ("min_value", "max_value"),
    "qloguniform": ("min_value", "max_value", "q"),
    "normal": ("mu", "sigma"),
    "qnormal": ("mu", "sigma", "q"),
    "lognormal": ("mu", "sigma"),
    "qlognormal": ("mu", "sigma", "q"),
}
_DRAW: dict[str, Callable[..., float]] = {
    "uniform": lambda source, low, high: source.uniform(low, high),
    "loguniform": lambda source, low, high: math.exp(source.uniform(low, high)),
    "normal": lambda source, mu, sigma: source.gauss(mu, sigma),
    "lognormal": lambda source, mu, sigma: math.exp(source.gauss(mu, sigma)),
}


class SearchError(Exception):
    """The search is invalid. The message names the parameter or setting."""


def points(space: Space, sampling: Json, seed: str) -> Iterator[Point]:
    """Return the points to try. They are endless unless the sampling is a grid, and equal for the same seed.

    `space` has a distribution's name and arguments for each parameter. `sampling` is a samplingAlgorithm. Its own seed
    takes precedence over `seed`. Bayesian sampling draws in the same way as random sampling.
    """
    for name, (kind, arguments) in space.items():
        if kind not in ARGUMENTS:
            known = ", ".join(ARGUMENTS)
            raise SearchError(f"parameter '{name}': '{kind}' is not a valid distribution; use one of {known}")
        if len(arguments) != len(ARGUMENTS[kind]):
            raise SearchError(f"parameter '{name}': {kind} takes {', '.join(ARGUMENTS[kind])}, got {list(arguments)}")
        if kind == "choice" and (not arguments[0] or any(isinstance(value, dict) for value in arguments[0])):
            raise SearchError(
                f"parameter '{name}': a choice needs at least one value, and amlite does not support nested values"
            )
    if not space:
        raise SearchError("the search space has no parameters")
    if str(sampling["samplingAlgorithmType"]).lower() == "grid":
        continuous = [name for name, (kind, _) in space.items() if kind != "choice"]
        if continuous:
            raise SearchError(f"grid sampling takes choices only; these are not choices: {', '.join(continuous)}")
        return _grid(space)
    given = sampling.get("seed")
    return _random(space, random.Random(seed if given is None else given))  # noqa: S311 - no secret is drawn


def _grid(space: Space) -> Iterator[Point]:
    for values in itertools.product(*(arguments[0] for _, arguments in space.values())):
        yield dict(zip(space, values, strict=True))


def _random(space: Space, source: random.Random) -> Iterator[Point]:
    while True:
        yield {name: _draw(source, kind, arguments) for name, (kind, arguments) in space.items()}


def _draw(source: random.Random, kind: str, arguments: Sequence[Any]) -> Any:
    if kind == "choice":
        return source.choice(arguments[0])
    if kind == "randint":
        return source.randrange(int(arguments[0]))
    if kind in _DRAW:
        return _DRAW[kind](source, *map(float, arguments))
    *rest, step = map(float, arguments)
    return round(_DRAW[kind.removeprefix("q")](source, *rest) / step) * step


def best(values: Mapping[str, Sequence[float]], maximize: bool) -> str | None:
    """Return the trial with the best value of the metric, or None if no trial logged one."""
    reached = {name: _best(history, maximize) for name, history in values.items() if history}
    return (max if maximize else min)(reached, key=lambda name: reached[name]) if reached else None


def _best(history: Sequence[float], maximize: bool) -> float:
    return max(history) if maximize else min(history)


Stopping = Callable[[str, Mapping[str, Sequence[float]], bool], bool]


def stopping(policy: Json | None) -> Stopping:
    """Return a function that decides from every trial's metric values whether a trial ends early.

    Call it each time that the trial has logged another value. Raises SearchError for an invalid policy.
    """
    if not policy:
        return lambda trial, values, maximize: False
    kind = str(policy["policyType"]).lower()
    if kind not in _POLICIES:
        raise SearchError(
            f"'{policy['policyType']}' is not a valid early termination policy; "
            "use one of Bandit, MedianStopping, TruncationSelection"
        )
    interval = max(1, int(policy.get("evaluationInterval") or 1))
    delay = int(policy.get("delayEvaluation") or 0)

    def decide(trial: str, values: Mapping[str, Sequence[float]], maximize: bool) -> bool:
        count = len(values[trial])
        if count == 0 or count < delay or count % interval:
            return False
        # The same interval of every trial; smaller is better from here on.
        sign = -1 if maximize else 1
        reached = {name: [sign * value for value in history[:count]] for name, history in values.items() if history}
        return _POLICIES[kind](policy, trial, reached)

    return decide


def _bandit(policy: Json, trial: str, values: Mapping[str, Sequence[float]]) -> bool:
    leader, mine = min(map(min, values.values())), min(values[trial])
    slack = float(policy.get("slackAmount") or 0)
    if factor := float(policy.get("slackFactor") or 0):
        # Of a metric to be maximized the allowed value is leader / (1 + factor), of another leader * (1 + factor).
        slack = abs(leader) - abs(leader) / (1 + factor) if leader < 0 else abs(leader) * factor
    return mine > leader + slack


def _median(_: Json, trial: str, values: Mapping[str, Sequence[float]]) -> bool:
    return min(values[trial]) > statistics.median(statistics.fmean(history) for history in values.values())


def _truncation(policy: Json, trial: str, values: Mapping[str, Sequence[float]]) -> bool:
    count = len(values[trial])
    ranked = sorted((name for name, history in values.items() if len(history) >= count), key=lambda n: min(values[n]))
    goes = len(ranked) * int(policy.get("truncationPercentage") or 0) // 100
    return goes > 0 and trial in ranked[-goes:]


_POLICIES = {"bandit": _bandit, "medianstopping": _median, "truncationselection": _truncation}
