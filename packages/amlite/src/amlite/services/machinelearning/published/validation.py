"""Checks a request body against a published model: required, types, enumerations, discriminators, read-only.

Like the service, validation accepts properties that no model has, ignores case and underscores in enumeration values,
and accepts a number or boolean as text.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.wire import Json

_DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_INTEGER = re.compile(r"-?\d+")
Problem = tuple[str, str]  # where, what


def validate(model: str, body: Json) -> None:
    """Raise Azure's 400 `ValidationError`, with one detail per property, if `body` does not match the model."""
    problems: list[Problem] = []
    _model(model, body, "", problems)
    if problems:
        raise AzureError(
            400,
            "ValidationError",
            "The request is invalid. " + " ".join(f"{path or 'body'}: {what}" for path, what in problems),
            details=[{"code": "InvalidParameter", "target": path, "message": what} for path, what in problems],
        )


def writable(model: str, body: Json) -> Json:
    """Validate `body` and return it in the form that the service stores.

    This form has no nulls and no read-only properties. Text is a string, and enumeration values have their published
    spelling.
    """
    validate(model, body)
    return _written_model(model, body)


@functools.cache
def _published() -> dict[str, Json]:
    content: dict[str, Json] = json.loads(Path(__file__).with_name("machinelearning.json").read_text("utf-8"))
    return content


@functools.cache
def _fields(model: str) -> dict[str, list[str]]:
    """Return the fields of a model and its ancestors: wire name -> [type, marks]."""
    entry = _published()["models"][model]
    inherited = _fields(entry["base"]) if "base" in entry else {}
    return {**inherited, **entry["fields"]}


def _discriminator(model: str) -> list[Any] | None:
    entry = _published()["models"][model]
    found: list[Any] | None = entry.get("kind")
    return found if found and found[1] else None


def _concrete(model: str, body: Json) -> str | None:
    """Return the model that the body's discriminators select, or None if a discriminator has an unknown value."""
    while (found := _discriminator(model)) is not None:
        value = body.get(found[0])
        kind = _canonical(found[1], value)
        if kind is None:
            return None
        model = found[1][kind]
    return model


def _canonical(known: Iterable[str], value: Any) -> str | None:
    """Return the published spelling of an enumeration's value, or None if the enumeration does not have it."""
    wanted = _plain(value) if isinstance(value, str) else None
    return next((item for item in known if _plain(item) == wanted), None)


def _plain(value: str) -> str:
    # Microsoft's examples have UriFile where the models have uri_file.
    return value.replace("_", "").lower()


def _model(model: str, body: Any, path: str, problems: list[Problem]) -> None:
    if not isinstance(body, dict):
        problems.append((path, f"Expected an object, got {_shown(body)}."))
        return
    concrete = _concrete(model, body)
    if concrete is None:
        _unknown_kind(model, body, path, problems)
        return
    for name, (kind, marks) in _fields(concrete).items():
        if "o" in marks:
            continue
        where = f"{path}.{name}" if path else name
        value = body.get(name)
        if value is not None:
            _value(kind, value, where, problems)
        elif "r" in marks:
            problems.append((where, f"The {name} field is required."))


def _unknown_kind(model: str, body: Json, path: str, problems: list[Problem]) -> None:
    found = _discriminator(model)
    while found is not None:
        field, kinds = found
        where = f"{path}.{field}" if path else field
        value = body.get(field)
        kind = _canonical(kinds, value)
        if kind is None:
            what = f"The {field} field is required" if value is None else f"{_shown(value)} is not a known {field}"
            problems.append((where, f"{what}; known are: {', '.join(sorted(kinds))}."))
            return
        found = _discriminator(kinds[kind])


def _value(kind: str, value: Any, path: str, problems: list[Problem]) -> None:
    outer, _, inner = kind.partition(":")
    if outer == "model":
        _model(inner, value, path, problems)
    elif outer == "list":
        if isinstance(value, list):
            for index, item in enumerate(value):
                _value(inner, item, f"{path}[{index}]", problems)
        else:
            problems.append((path, f"Expected a list, got {_shown(value)}."))
    elif outer == "map":
        if isinstance(value, dict):
            for key, item in value.items():
                if item is not None:
                    _value(inner, item, f"{path}.{key}", problems)
        else:
            problems.append((path, f"Expected an object, got {_shown(value)}."))
    elif outer == "enum":
        known = _published()["enums"][inner]
        if _canonical(known, value) is None:
            problems.append((path, f"{_shown(value)} is not one of {', '.join(known)}."))
    elif not _scalar(outer, value):
        problems.append((path, f"Expected {_WORDS[outer]}, got {_shown(value)}."))


_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "datetime": "a date and time in ISO 8601",
    "duration": "a duration in ISO 8601",
}


def _scalar(kind: str, value: Any) -> bool:
    match kind:
        case "str":
            return isinstance(value, str | int | float)
        case "bool":
            return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))
        case "int":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return not isinstance(value, bool) and (whole or _matches(_INTEGER, value))
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "datetime":
            return _matches(_DATETIME, value)
        case "duration":
            return _matches(_DURATION, value)
    return True


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _written(kind: str, value: Any) -> Any:
    outer, _, inner = kind.partition(":")
    if outer == "list":
        return [_written(inner, item) for item in value]
    if outer == "map":
        return {key: _written(inner, item) for key, item in value.items() if item is not None}
    if outer == "str" and not isinstance(value, str):
        return json.dumps(value)
    if outer == "enum":
        return _canonical(_published()["enums"][inner], value)
    return _written_model(inner, value) if outer == "model" else value


def _written_model(model: str, body: Json) -> Json:
    fields = _fields(_concrete(model, body) or model)
    written = {
        name: _written(fields[name][0], item) if name in fields else item
        for name, item in body.items()
        if item is not None and (name not in fields or "o" not in fields[name][1])
    }
    while (found := _discriminator(model)) is not None and (kind := _canonical(found[1], body.get(found[0]))):
        written[found[0]] = kind
        model = found[1][kind]
    return written


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
