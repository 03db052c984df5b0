"""What is wrong with an object, by Kubernetes' published schemas."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amlite.core.wire import Json

QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?\d+))?")
_PYTHON: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "num": (int, float), "time": str}
_NAMES = {"str": "string", "int": "integer", "bool": "boolean", "num": "number", "time": "string"}


def unknown_fields(kind: str, body: Json) -> list[str]:
    """Return the paths of the fields that a kind does not have, such as `.spec.sizes`."""
    return [path for path, what in _problems(f"ref:{kind}", body, "") if what == "unknown"]


def wrong_values(kind: str, body: Json) -> list[tuple[str, str]]:
    """Return the paths of the fields with a value of a wrong type, and the type that they must have."""
    return [(path, what) for path, what in _problems(f"ref:{kind}", body, "") if what != "unknown"]


@functools.cache
def _schemas() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("kubernetes.json").read_text("utf-8"))
    return found


def _problems(kind: str, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if value is None or kind == "any":
        return
    outer, _, inner = kind.partition(":")
    if outer in ("ref", "map"):
        if isinstance(value, dict):
            yield from _members(outer, inner, value, path)
        else:
            yield path, "map"
    elif outer == "list":
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _problems(inner, item, f"{path}[{index}]")
        else:
            yield path, "list"
    elif not _is_scalar(outer, value):
        yield path, _NAMES.get(outer, outer)


def _members(outer: str, inner: str, value: Json, path: str) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if outer == "map":
            yield from _problems(inner, item, f"{path}.{name}")
        elif name in (fields := _schemas()[inner]):
            yield from _problems(fields[name], item, f"{path}.{name}")
        else:
            yield f"{path}.{name}", "unknown"


def _is_scalar(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "bool"
    if kind == "quantity":
        return QUANTITY.fullmatch(str(value)) is not None
    return isinstance(value, _PYTHON[kind])
