"""The values of parameters, and the placeholders in commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pipeline_runner.document import Parameter
from pipeline_runner.errors import RunnerError

_PLACEHOLDER = re.compile(r"\{\{(\$[^}]*)\}\}")
_KEYED = re.compile(r"\$\.(inputs|outputs)\.(parameters|artifacts)\['([^']+)'\](?:\.(\w+))?")


def arguments(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each parameter of a run.

    Raises:
        RunnerError: A parameter is unknown or missing, or has a value of another type. All problems are named.
    """
    problems = [f"{name}: the pipeline has no such parameter" for name in sorted(given.keys() - declared.keys())]
    found: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name in given:
            try:
                found[name] = converted(given[name], parameter.type)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        elif parameter.default is not None or parameter.optional:
            found[name] = converted(parameter.default, parameter.type) if parameter.default is not None else None
        else:
            problems.append(f"{name}: the pipeline needs a value")
    if problems:
        raise RunnerError("the parameters do not fit the pipeline:\n" + "\n".join(f"  {each}" for each in problems))
    return found


def converted(value: Any, type_: str) -> Any:
    """Return a value, or the text of one, as a pipeline's type. Raises ValueError."""
    if type_ == "STRING":
        return value if isinstance(value, str) else as_text(value)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"'{value}' is not a {type_}") from error
    match type_, value:
        case "NUMBER_INTEGER", int() | float() if not isinstance(value, bool) and float(value).is_integer():
            return int(value)
        case "NUMBER_DOUBLE", int() | float() if not isinstance(value, bool):
            return float(value)
        case ("BOOLEAN", bool()) | ("LIST", list()) | ("STRUCT", dict()):
            return value
    raise ValueError(f"{json.dumps(value)} is not a {type_}")


def as_text(value: Any) -> str:
    """Return a value as a command line and a parameter's file have it."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def replaced(text: str, values: Mapping[str, str], where: str) -> str:
    """Return a text with its placeholders replaced.

    Raises:
        RunnerError: A placeholder is unknown.
    """
    return _PLACEHOLDER.sub(_lookup(values, where), text)


def placeholders(executor_input: Mapping[str, Any], run: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the placeholders of a step, by their names. The URI of an artifact is its path."""
    found = {"$": json.dumps(executor_input), **run}
    inputs, outputs = executor_input["inputs"], executor_input["outputs"]
    for name, value in inputs["parameterValues"].items():
        found[f"$.inputs.parameters['{name}']"] = as_text(value)
    for name, parameter in outputs["parameters"].items():
        found[f"$.outputs.parameters['{name}'].output_file"] = parameter["outputFile"]
    for side, group in (("inputs", inputs["artifacts"]), ("outputs", outputs["artifacts"])):
        for name, each in group.items():
            artifact = each["artifacts"][0]
            found[f"$.{side}.artifacts['{name}'].uri"] = artifact["uri"]
            found[f"$.{side}.artifacts['{name}'].path"] = artifact["uri"]
            found[f"$.{side}.artifacts['{name}'].name"] = artifact["name"]
            found[f"$.{side}.artifacts['{name}'].metadata"] = json.dumps(artifact["metadata"])
    return found


def _lookup(values: Mapping[str, str], where: str) -> Callable[[re.Match[str]], str]:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in values:
            return values[name]
        keyed = _KEYED.fullmatch(name)
        what = (
            f"the {keyed[1]} have no {keyed[2].rstrip('s')} '{keyed[3]}'" if keyed else "this runner does not know it"
        )
        raise RunnerError(f"{where}: the placeholder {match[0]}: {what}")

    return value
