"""The expressions of workflows: the language, with the functions that refer to a workflow's trigger and actions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amlite.core import expressions
from amlite.core.expressions import FUNCTIONS, ExpressionError, Functions

__all__ = ["Context", "ExpressionError", "check", "evaluate"]


@dataclass(frozen=True)
class Context:
    """What expressions can refer to: the trigger's body, the actions' bodies by name, and the time."""

    trigger: Any
    bodies: Mapping[str, Any]
    now: dt.datetime

    @property
    def functions(self) -> Functions:
        """The functions of the language, and those that refer to this context."""
        return {
            **FUNCTIONS,
            "body": self._body,
            "triggerBody": lambda: self.trigger,
            "utcNow": lambda: expressions.timestamp(self.now),
        }

    def _body(self, action: str) -> Any:
        if action not in self.bodies:
            raise ExpressionError(f"refers to the action '{action}', which has not run")
        return self.bodies[action]


def check(value: Any) -> None:
    """Raise ExpressionError if a text anywhere in a value has an expression that amlite does not support."""
    expressions.check(value, Context(None, {}, dt.datetime.now(dt.UTC)).functions)


def evaluate(value: Any, context: Context) -> Any:
    """Return a value with its expressions evaluated. Raises ExpressionError."""
    return expressions.evaluate(value, context.functions)
