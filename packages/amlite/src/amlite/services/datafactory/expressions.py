"""The expressions of pipelines and triggers: the language, with the functions that refer to a run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amlite.core import expressions
from amlite.core.expressions import FUNCTIONS, ExpressionError, Functions
from amlite.core.wire import Json

__all__ = ["Context", "ExpressionError", "check", "evaluate", "references"]

# Logic Apps only.
_NOT_HERE = ("setProperty",)
_REFERENCE = re.compile(
    r"\b(?:(?P<function>activity|variables)\(\s*'(?P<name>[^']*)'\s*\)|(?P<parameter>pipeline\(\)\.parameters)\.(?P<key>\w+))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Context:
    """What expressions can refer to: `pipeline()`, `trigger()`, activities, variables, and the time."""

    pipeline: Json = field(default_factory=dict)
    trigger: Json = field(default_factory=dict)
    trigger_body: Any = None
    activities: Mapping[str, Json] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    now: dt.datetime | None = None

    @property
    def functions(self) -> Functions:
        """The functions of the language, and those that refer to this context."""
        shared = {name: function for name, function in FUNCTIONS.items() if name not in _NOT_HERE}
        return {
            **shared,
            "activity": lambda name: _known("activity", self.activities, name),
            # Data Factory's functions take two values, where those of Logic Apps take any number.
            "and": lambda one, other: one and other,
            "or": lambda one, other: one or other,
            "pipeline": lambda: self.pipeline,
            "trigger": lambda: self.trigger,
            "triggerBody": lambda: self.trigger_body,
            "utcNow": lambda: expressions.timestamp(self.now or dt.datetime.now(dt.UTC)),
            "variables": lambda name: _known("variable", self.variables, name),
        }


def check(value: Any) -> None:
    """Raise ExpressionError if a text anywhere in a value has an expression that amlite does not support."""
    expressions.check(_plain(value), Context().functions)


def evaluate(value: Any, context: Context) -> Any:
    """Return a value with its expressions evaluated. Raises ExpressionError."""
    return expressions.evaluate(_plain(value), context.functions)


def references(value: Any) -> dict[str, set[str]]:
    """Return the names that the expressions of a value refer to: of an `activity`, of `variables`, of `parameters`."""
    found: dict[str, set[str]] = {"activity": set(), "variables": set(), "parameters": set()}
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            for kind, names in references(each).items():
                found[kind] |= names
    elif isinstance(value, str):
        for source in expressions.sources(value):
            for match in _REFERENCE.finditer(source):
                if match["parameter"]:
                    found["parameters"].add(match["key"])
                else:
                    found[match["function"].lower()].add(match["name"])
    return found


def _plain(value: Any) -> Any:
    """Return a value with each `{"value": …, "type": "Expression"}` replaced by its text."""
    if isinstance(value, dict):
        if value.get("type") == "Expression" and set(value) <= {"type", "value"}:
            return value.get("value")
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _known(kind: str, values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise ExpressionError(f"refers to the {kind} '{name}', which has no value yet")
    return values[name]
