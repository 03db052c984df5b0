"""Values that have the right type and are still wrong: out of Azure's range, or not fit for their input.

Sources: Microsoft's "CLI (v2) managed online deployment YAML schema", "CLI (v2) batch deployment YAML schema",
"CLI (v2) command component YAML schema" and "Hyperparameter tuning a model (v2)"; `ResourceConfiguration` in
azure-rest-api-specs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_azureml.planning.assets import Definition
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.inputs import LITERALS, described, typed
from pulumi_azureml.planning.problems import Problem, listing, suggestion

_PROBES = ("liveness_probe", "readiness_probe", "startup_probe")
# The smallest and the largest value, by the last two keys.
_RANGES: dict[tuple[str, str], tuple[int, int | None]] = {
    ("request_settings", "request_timeout_ms"): (1, 180_000),
    ("request_settings", "max_concurrent_requests_per_instance"): (1, None),
    ("request_settings", "max_queue_wait_ms"): (0, None),
    ("resources", "instance_count"): (1, None),
    ("settings", "mini_batch_size"): (1, None),
    ("settings", "max_concurrency_per_instance"): (1, None),
    ("settings", "error_threshold"): (-1, None),
    ("retry_settings", "max_retries"): (0, None),
    ("retry_settings", "timeout"): (1, None),
    **{("limits", key): (1, None) for key in ("timeout", "trial_timeout", "timeout_minutes", "trial_timeout_minutes")},
    **{("limits", key): (1, 1000) for key in ("max_total_trials", "max_concurrent_trials")},
    **{("distribution", key): (1, None) for key in ("process_count_per_instance", "worker_count")},
    ("distribution", "parameter_server_count"): (0, None),
    ("early_termination", "evaluation_interval"): (1, None),
    ("early_termination", "delay_evaluation"): (0, None),
    ("early_termination", "truncation_percentage"): (1, 99),
    **{(route, "port"): (1, 65_535) for route in ("liveness_route", "readiness_route", "scoring_route")},
    **{(probe, "initial_delay"): (0, None) for probe in _PROBES},
    **{
        (probe, key): (1, None)
        for probe in _PROBES
        for key in ("period", "timeout", "success_threshold", "failure_threshold")
    },
    **{(probe, "port"): (1, 65_535) for probe in _PROBES},
}
# The distributions that a sampling algorithm supports. Random sampling supports all.
_SAMPLED = {"grid": ("choice",), "bayesian": ("choice", "quniform", "uniform")}
_SHARED_MEMORY = re.compile(r"\d+[bkmg]", re.IGNORECASE | re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*", re.ASCII)
_LOG_LEVELS = ("debug", "info", "warning")
_NUMBERS = ("integer", "number")
_MOST_MIRRORED = 50


def check_values(document: Document, value: Any, keys: KeyPath = ()) -> Iterator[Problem]:
    """Report values of a definition that Azure refuses, wherever they are."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        place = (*keys, key)
        last = tuple(map(str, place[-2:]))
        if last in _RANGES and not isinstance(item, dict | list):
            yield from _check_range(document, place, item, *_RANGES[last])
        elif key == "environment_variables" and isinstance(item, dict):
            yield from _check_variables(document, place, item)
        elif (key == "tags" or place == ("properties",)) and isinstance(item, dict):
            yield from _check_texts(document, place, item)
        elif key == "shm_size" and not _SHARED_MEMORY.fullmatch(str(item)):
            message = f"'{'.'.join(map(str, place))}' cannot be '{item}'"
            yield document.problem(place, message, "write a number and a unit, such as `2g`")
        elif last == ("settings", "logging_level") and str(item).lower() not in _LOG_LEVELS:
            advice = suggestion(str(item), _LOG_LEVELS, otherwise=f"use one of {listing(_LOG_LEVELS)}")
            yield document.problem(place, f"'settings.logging_level' cannot be '{item}'", advice)
        elif key == "search_space" and isinstance(item, dict):
            yield from _check_space(document, place, item, value.get("sampling_algorithm"))
        elif key == "early_termination" and isinstance(item, dict) and str(item.get("type")).lower() == "bandit":
            yield from check_values(document, item, place)
            if ("slack_factor" in item) == ("slack_amount" in item):
                message = "a bandit policy has either 'slack_factor' or 'slack_amount'"
                yield document.problem(place, message, "write one of the two")
        elif last[0] == "mirror_traffic" and isinstance(item, int) and not 0 <= item <= _MOST_MIRRORED:
            message = f"'{'.'.join(last)}' is {item} %"
            yield document.problem(place, message, f"mirror at most {_MOST_MIRRORED} % of the traffic")
        else:
            yield from check_values(document, item, place)


def check_ports(document: Document, definition: Definition) -> Iterator[Problem]:
    """Report inputs of a component whose default, limits and choices do not fit together."""
    inputs = definition.get("inputs")
    for name, port in inputs.items() if isinstance(inputs, dict) else ():
        if isinstance(port, dict) and port.get("type") in LITERALS:
            yield from _check_port(document, ("inputs", name), port)


def fits(document: Document, keys: KeyPath, name: str, value: Any, port: Mapping[str, Any]) -> Iterator[Problem]:
    """Report a value that is not among an input's choices or not between its limits."""
    choices = port.get("enum")
    if isinstance(choices, list) and choices and str(value) not in map(str, choices):
        advice = suggestion(str(value), map(str, choices), otherwise=f"use one of {listing(map(str, choices))}")
        yield document.problem(keys, f"input '{name}' cannot be '{value}'", advice)
    low, high = (_number(port.get(key)) for key in ("min", "max"))
    number = _number(value) if port.get("type") in _NUMBERS else None
    if number is not None and ((low is not None and number < low) or (high is not None and number > high)):
        limits = f"between {'-∞' if low is None else port['min']} and {'∞' if high is None else port['max']}"
        yield document.problem(keys, f"input '{name}' cannot be {value}", f"use a value {limits}")


def _check_port(document: Document, keys: KeyPath, port: Mapping[str, Any]) -> Iterator[Problem]:
    name, type_ = str(keys[-1]), str(port["type"])
    for key in ("min", "max"):
        if port.get(key) is not None and _number(port[key]) is None:
            yield document.problem((*keys, key), f"'{key}' of input '{name}' is '{port[key]}'", "write a number")
            return
    low, high = _number(port.get("min")), _number(port.get("max"))
    if low is not None and high is not None and low > high:
        message = f"'min' of input '{name}' is {port['min']}, and 'max' is {port['max']}"
        yield document.problem((*keys, "min"), message, "exchange the two")
        return
    default = port.get("default")
    if default is None and "default" in port:
        message = f"the default of input '{name}' is empty"
        yield document.problem((*keys, "default"), message, "write a value, or remove `default`")
    if default is None or isinstance(default, dict | list):
        return
    place = (*keys, "default")
    try:
        value = default if type_ == "string" else typed(type_, default)
    except ValueError as error:
        fix = f"write {described(type_)}, or change the type"
        yield document.problem(place, f"the default of input '{name}' {error}", fix)
        return
    yield from fits(document, place, name, value, port)


def _check_range(document: Document, keys: KeyPath, value: Any, low: int, high: int | None) -> Iterator[Problem]:
    number = _number(value)
    if number is None or (low <= number and (high is None or number <= high)):
        return
    limits = f"use {low} or more" if high is None else f"use {low} to {high}"
    yield document.problem(keys, f"'{'.'.join(map(str, keys))}' cannot be {value}", limits)


def _check_space(document: Document, keys: KeyPath, space: Mapping[Any, Any], sampling: Any) -> Iterator[Problem]:
    """Report a search space without values, and one that its sampling algorithm cannot sample."""
    if not space:
        yield document.problem(keys, "'search_space' is empty", "add the inputs to search")
    algorithm = str(sampling.get("type") if isinstance(sampling, dict) else sampling).lower()
    for name, each in space.items():
        if not isinstance(each, dict) or "type" not in each:
            continue
        kind, low, high = str(each.get("type")).lower(), _number(each.get("min_value")), _number(each.get("max_value"))
        if kind == "choice" and each.get("values") == []:
            yield document.problem((*keys, name, "values"), f"'{name}' has no values to search", "write some values")
        if low is not None and high is not None and low >= high:
            message = f"'min_value' of '{name}' is {each['min_value']}, and 'max_value' is {each['max_value']}"
            yield document.problem((*keys, name, "min_value"), message, "write a lower 'min_value'")
        if algorithm in _SAMPLED and kind not in _SAMPLED[algorithm]:
            known = listing(_SAMPLED[algorithm])
            message = f"{algorithm} sampling cannot sample '{name}' of type {kind}"
            yield document.problem((*keys, name), message, f"use {known}, or `sampling_algorithm: random`")


def _check_variables(document: Document, keys: KeyPath, variables: Mapping[Any, Any]) -> Iterator[Problem]:
    yield from _check_texts(document, keys, variables)
    for name, value in variables.items():
        if isinstance(value, bool | int | float):  # YAML's are text by now
            message = f"'{'.'.join(map(str, (*keys, name)))}' has the wrong type: {value}"
            yield document.problem((*keys, name), message, "write text (quote it)")
        if not _VARIABLE.fullmatch(str(name)):
            fix = "use letters, digits, '_', '-' and '.', and no digit at the beginning"
            yield document.problem((*keys, name), f"'{name}' is not a name of an environment variable", fix)


def _check_texts(document: Document, keys: KeyPath, texts: Mapping[Any, Any]) -> Iterator[Problem]:
    for name, value in texts.items():
        if isinstance(value, dict | list):
            what = "list" if isinstance(value, list) else "mapping"
            message = f"'{'.'.join(map(str, (*keys, name)))}' has the wrong type: a {what}"
            yield document.problem((*keys, name), message, "write text")


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
