"""A sweep: trials of one command with different parameters. The best one provides the result."""

from __future__ import annotations

import json
import re
from typing import Any

from amlite.core.wire import Json
from amlite.services.jobs import command, distribution, graph, search

_TIMES = {"timeout": "timeout", "trial_timeout": "trialTimeout"}
_COUNTS = {"max_total_trials": "maxTotalTrials", "max_concurrent_trials": "maxConcurrentTrials"}


def problems(properties: Json) -> list[str]:
    """Return the problems of the search space, the sampling and the trial's command."""
    space = properties["searchSpace"]
    line = properties["trial"]["command"]
    found = command.check(line)
    found += command.problems(line, properties.get("inputs") or {}, properties.get("outputs") or {}, space.keys())
    try:
        search.points(space, properties["samplingAlgorithm"], "")
        search.stopping(properties.get("earlyTermination"))
    except search.SearchError as error:
        found.append(str(error))
    return found


def from_node(component: Json, spec: Json) -> Json:
    """Return the sweep as a job of its own would be written; raises ValueError."""
    space = {name: _distribution(name, given) for name, given in (spec.get("search_space") or {}).items()}
    environment = spec.get("environment") or component["environment"]
    sampling, limits = spec.get("sampling_algorithm") or "random", spec.get("limits") or {}
    if isinstance(sampling, str):
        sampling = {"type": sampling}
    resources = graph.in_models(spec.get("resources") or component.get("resources"))
    objective = spec.get("objective") or {}
    if not objective.get("primary_metric"):
        raise ValueError("a sweep must name its objective: goal and primary_metric")
    return {
        "trial": {
            "command": command.search(component["command"], space),
            "environmentId": environment,
            **({"codeId": component["code"]} if component.get("code") else {}),
            "environmentVariables": component.get("environment_variables") or {},
            **distribution.from_node(component, {}),
            **({"resources": resources} if resources else {}),
        },
        "searchSpace": space,
        "samplingAlgorithm": {
            **{name: sampling[name] for name in ("seed", "rule") if sampling.get(name) is not None},
            "samplingAlgorithmType": _camel(sampling.get("type") or sampling.get("sampling_algorithm_type")),
        },
        "objective": {"goal": str(objective.get("goal")).capitalize(), "primaryMetric": objective["primary_metric"]},
        "limits": {
            "jobLimitsType": "Sweep",
            **{wire: int(limits[name]) for name, wire in _COUNTS.items() if limits.get(name)},
            **{wire: _duration(limits[name]) for name, wire in _TIMES.items() if limits.get(name)},
        },
        **({"earlyTermination": _policy(spec["early_termination"])} if spec.get("early_termination") else {}),
    }


def _distribution(name: str, given: Json) -> list[Any]:
    """Return a distribution as the service's models have it: its name and its arguments in order."""
    kind = str(given.get("type"))
    if kind not in search.ARGUMENTS:
        known = ", ".join(search.ARGUMENTS)
        raise ValueError(f"search_space.{name}: '{kind}' is not a valid distribution; use one of {known}")
    missing = [argument for argument in search.ARGUMENTS[kind] if given.get(argument) is None]
    if missing:
        raise ValueError(f"search_space.{name}: a {kind} distribution needs {', '.join(missing)}")
    return [kind, [given[argument] for argument in search.ARGUMENTS[kind]]]


def _policy(given: Json) -> Json:
    policy = {_lower_camel(name): value for name, value in given.items()}
    policy["policyType"] = _camel(policy.pop("type", None) or policy.get("policyType"))
    return policy


def _duration(given: Any) -> str:
    return str(given) if str(given).startswith("P") else f"PT{int(given)}S"


def _camel(name: Any) -> str:
    return "".join(part[:1].upper() + part[1:] for part in str(name).split("_"))


def _lower_camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def hyperparameters(tried: dict[str, Any]) -> str:
    """Return a trial's parameters as its tag `hyperparameters` has them."""
    return json.dumps(tried)
