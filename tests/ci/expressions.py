"""The expressions of both hosts, as far as the files use them.

Sources: "Evaluate expressions in workflows and actions" of GitHub's documentation, and "Expressions" and "Define
variables" of Azure Pipelines'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_GITHUB = re.compile(r"\$\{\{ (.+?) \}\}")
_PATH = re.compile(r"[a-z]+(\.[A-Za-z_-]+)+")
_MACRO = re.compile(r"\$\(([A-Za-z.]+)\)")
_PARAMETER = re.compile(r"\$\{\{ parameters\.([A-Za-z]+) \}\}")
_TOKENS = re.compile(r"\s*(?:(variables\['[A-Za-z.]+'\])|('[^']*')|([A-Za-z]+)|([(),]))")


class UnsupportedError(AssertionError):
    """A file uses something that these tests do not execute as the host would."""


def github(text: str, contexts: Mapping[str, Any]) -> str:
    """Return a text of a workflow with the values of its expressions."""
    result = _GITHUB.sub(lambda found: str(github_value(found[1], contexts)), text)
    if "${{" in result:
        raise UnsupportedError(f"an expression in: {text}")
    return result


def github_value(expression: str, contexts: Mapping[str, Any]) -> Any:
    """Return the value of an expression: a path in a context, or a comparison of two paths."""
    left, operator, right = expression.strip().partition(" == " if " == " in expression else " != ")
    if not operator:
        return _github_path(left, contexts)
    equal = _github_path(left, contexts) == _github_path(right, contexts)
    return equal if operator == " == " else not equal


def github_holds(expression: str | None, contexts: Mapping[str, Any], succeeded: bool) -> bool:
    """Return whether a job or a step runs, after others that succeeded or failed. Nobody cancels a test."""
    conditions = ["success()"] if expression is None else _inside(expression).split(" && ")
    if "!cancelled()" not in conditions:
        conditions.append("success()")
    values = {"success()": succeeded, "!cancelled()": True}
    return all(values[each] if each in values else bool(github_value(each, contexts)) for each in conditions)


def _inside(expression: str) -> str:
    return expression.removeprefix("${{ ").removesuffix(" }}")


def _github_path(path: str, contexts: Mapping[str, Any]) -> Any:
    if not _PATH.fullmatch(path):
        raise UnsupportedError(f"the expression {path}")
    value: Any = contexts
    for part in path.split("."):
        if part not in value:
            raise UnsupportedError(f"{path}: the tests set no such value")
        value = value[part]
    return value


def macros(text: str, variables: Mapping[str, str]) -> str:
    """Return a text of a pipeline with the values of its macros. A shell's own `$(…)` is refused, as it is a macro."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in variables:
            raise UnsupportedError(f"$({found[1]}): the tests set no such variable")
        return variables[found[1]]

    result = _MACRO.sub(value, text)
    if "$(" in result or "$[" in result or "${{" in result:
        raise UnsupportedError(f"an expression in: {text}")
    return result


def with_parameters(value: Any, parameters: Mapping[str, str]) -> Any:
    """Return a part of a template with its parameters."""
    if isinstance(value, str):
        return _PARAMETER.sub(lambda found: parameters[found[1]], value)
    if isinstance(value, list):
        return [with_parameters(each, parameters) for each in value]
    if isinstance(value, dict):
        return {key: with_parameters(each, parameters) for key, each in value.items()}
    return value


def condition(text: str, variables: Mapping[str, str], succeeded: bool) -> bool:
    """Return whether a stage or a job of a pipeline runs."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        found = _TOKENS.match(text, position)
        if found is None:
            raise UnsupportedError(f"the condition {text}")
        tokens.append(found[0].strip())
        position = found.end()
    functions: dict[str, Callable[..., bool]] = {
        "and": lambda *parts: all(parts),
        # Texts are compared without regard to case. A variable that is not set is an empty text.
        "eq": lambda left, right: left.casefold() == right.casefold(),
        "ne": lambda left, right: left.casefold() != right.casefold(),
        "succeeded": lambda: succeeded,
        "succeededOrFailed": lambda: True,
    }

    def parse() -> Any:
        token = tokens.pop(0)
        if token.startswith("'"):
            return token.strip("'")
        if token.startswith("variables['"):
            return variables.get(token[len("variables['") : -len("']")], "")
        if token not in functions or tokens.pop(0) != "(":
            raise UnsupportedError(f"the condition {text}")
        arguments = []
        while tokens[0] != ")":
            arguments.append(parse())
            if tokens[0] == ",":
                tokens.pop(0)
        tokens.pop(0)
        return functions[token](*arguments)

    value = parse()
    if tokens or not isinstance(value, bool):
        raise UnsupportedError(f"the condition {text}")
    return value
