"""Fields of Microsoft's models that amlite's source never mentions: amlite can neither act on them nor set them."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import amlite
from amlite.core.routing import ARM_HOST
from amlite.services.machinelearning.published import generate
from operation_coverage.operations import MACHINE_LEARNING, Operation, resource_manager

_MOST_NAMES = 8
_READ_ONLY = "o"
# Fields that tell of failures which amlite does not have.
_NOT_DUE = {"additionalInfo", "errorMessage"}


def unused(operation: Operation) -> tuple[str, ...]:
    """Say which settings of the request's body are kept and returned, and do nothing."""
    return _told("keeps without effect", operation, operation.body, lambda marks: _READ_ONLY not in marks)


def unset(operation: Operation) -> tuple[str, ...]:
    """Say which fields of the answer the service would set, and amlite does not."""
    written = operation.result in _bodies()  # clients get back what they wrote
    return _told("does not return", operation, operation.result, lambda marks: not written or _READ_ONLY in marks)


def _told(what: str, operation: Operation, model: str, counts: Callable[[str], bool]) -> tuple[str, ...]:
    if operation.provider != MACHINE_LEARNING or operation.host != ARM_HOST or not model:
        return ()
    names = sorted({name for name, marks in _unknown(model, set()) if counts(marks)} - _NOT_DUE)
    if not names:
        return ()
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (f"{what} {', '.join(f'`{name}`' for name in names[:_MOST_NAMES])}{more}",)


@functools.cache
def _models() -> dict[str, Any]:
    roots = _bodies() | {each.result for each in resource_manager()} - {""}
    models: dict[str, Any] = generate.published(generate.source(), roots)["models"]
    return models


@functools.cache
def _bodies() -> frozenset[str]:
    return frozenset(each.body for each in resource_manager()) - {""}


@functools.cache
def _words() -> frozenset[str]:
    package = Path(amlite.__file__).parent
    files = [file for folder in ("core", "services") for file in (package / folder).rglob("*.py")]
    return frozenset(word for file in files for word in re.findall(r"\w+", _code(file.read_text("utf-8"))))


def _code(source: str) -> str:
    """Return Python source without comments and docstrings: prose that has the name of a field does nothing with it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return ast.unparse(tree)


def _unknown(model: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, marks) of unmentioned fields of a model, of its kinds and of what its other fields hold."""
    if model in seen:
        return
    seen.add(model)
    entry = _models()[model]
    for name, (kind, marks) in entry["fields"].items():
        if name not in _words():
            yield name, marks
        elif "model:" in kind:
            yield from _unknown(kind.rpartition("model:")[2], seen)
    kinds: dict[str, str] = entry["kind"][1] if "kind" in entry else {}
    for other in (*([entry["base"]] if "base" in entry else []), *kinds.values()):
        yield from _unknown(other, seen)
