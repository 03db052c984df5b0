"""The types of a pipeline's inputs, and values of these types from text, such as that of a command's option."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi_azureml.planning.documents import KeyPath

BINDING = re.compile(r"\$\{\{\s*parent\.([A-Za-z0-9_.]+)\s*\}\}")
# From the strictest to the one that takes any text.
LITERALS = ("boolean", "integer", "number", "string")
DATA = "data"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DESCRIPTIONS = {
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    DATA: "a data asset (`azureml:NAME:VERSION`), a path or a URI",
}
# Returns the declared inputs of a component by its reference in a step, or none if no file defines it.
Components = Callable[[str], Mapping[str, Any]]


def place(name: str, value: Any) -> KeyPath:
    """Return the keys of the value of a pipeline's input."""
    if not isinstance(value, dict):
        return ("inputs", name)
    literal = "value" in value or value.get("type") in LITERALS
    return ("inputs", name, "value" if literal else "path")


def input_type(name: str, pipeline: Mapping[str, Any], components: Components) -> str:
    """Return the type of a pipeline's input: one of `LITERALS`, or `DATA`.

    This is the type that the pipeline declares, or else the strictest one of the inputs that it is bound to, or else
    the type of its value.
    """
    value = _mapping(pipeline.get("inputs")).get(name)
    if isinstance(value, dict):
        declared = value.get("type")
        if declared in LITERALS:
            return str(declared)
        if "value" not in value:
            return DATA
        value = value["value"]
    bound = set(_bound_types(name, pipeline, components))
    if bound:
        return next(each for each in LITERALS if each in bound)
    # 1 does not say that 0.5 is wrong: that depends on the component.
    return "number" if type(value) is int else literal_type(value) or "string"


def typed(type_: str, value: Any) -> Any:
    """Return a value as a type. A text stays the same text if the type is `string` or `DATA`.

    `pulumi config set --path` stores 0.5 as text, and a text that is an integer as a number.

    Raises:
        ValueError: the value is not of the type. The message says what the type takes.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    match type_:
        case "boolean" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "integer" if _INTEGER.fullmatch(text):
            return int(text)
        case "number" if _INTEGER.fullmatch(text):
            return int(text)
        case "number" if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        # azure-ai-ml does not send an empty text. YAML may have read 1.10 as 1.1.
        case "string" | "data" if text and isinstance(value, str | int):
            return text
    raise ValueError(f"takes {described(type_)} but gets '{value}'")


def described(type_: str) -> str:
    """Return what an input of a type takes, in words."""
    return _DESCRIPTIONS[type_]


def literal_type(value: Any) -> str | None:
    """Return the type of a value as YAML read it, or None if it is not a literal."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
    return None


def _bound_types(name: str, pipeline: Mapping[str, Any], components: Components) -> Iterator[str]:
    """Yield the declared types of the inputs that get the value."""
    holder = pipeline.get("component")
    if isinstance(holder, str):
        yield from _literal(_mapping(components(holder)).get(name))
    for step in _mapping(pipeline.get("jobs")).values():
        reference = _mapping(step).get("component", _mapping(step).get("trial"))
        declared = _mapping(components(reference)) if isinstance(reference, str) else {}
        for port, value in _mapping(_mapping(step).get("inputs")).items():
            text = value.get("path") if isinstance(value, dict) else value
            if not isinstance(text, str) or f"inputs.{name}" not in BINDING.findall(text):
                continue
            if BINDING.fullmatch(text.strip()) is None:
                yield "string"  # a part of a text
            else:
                yield from _literal(declared.get(port))


def _literal(port: Any) -> Iterator[str]:
    declared = _mapping(port).get("type")
    if declared in LITERALS:
        yield str(declared)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
