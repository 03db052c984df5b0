"""Checks a request body against a published model: required, types, enumerations, discriminators, read-only.

Like the service, validation accepts properties that no model has, ignores case and underscores in enumeration values,
and accepts a number or boolean as text.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from amlite.core.errors import AzureError
from amlite.core.wire import Json

_DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_INTEGER = re.compile(r"-?\d{1,18}")
_MOST_INTEGER = 1 << 63
_MOST = 20  # problems that an error tells
Problem = tuple[str, str]  # where, what


class Models:
    """The models of one service, from a file that a generator wrote or in its format; see the generators for that.

    `code` is the service's error code for a body that does not match. With `types_only`, a body of an unknown kind has
    the fields of the base alone.
    """

    def __init__(self, source: Path | Json, *, code: str, types_only: bool = False) -> None:
        self._source = source
        self._code = code
        self._types_only = types_only
        self._known_fields: dict[str, dict[str, list[str]]] = {}

    @functools.cached_property
    def _published(self) -> dict[str, Json]:
        content: dict[str, Json] = (
            json.loads(self._source.read_text("utf-8")) if isinstance(self._source, Path) else self._source
        )
        return content

    def validate(self, model: str, body: Json) -> None:
        """Raise Azure's 400, with one detail per property, if `body` does not match the model."""
        if problems := self.problems(model, body):
            raise AzureError(
                400,
                self._code,
                "The request is invalid. " + " ".join(f"{path or 'body'}: {what}" for path, what in problems[:_MOST]),
                details=[
                    {"code": "InvalidParameter", "target": path, "message": what} for path, what in problems[:_MOST]
                ],
            )

    def problems(self, model: str, body: Json) -> list[Problem]:
        """Return what does not match the model."""
        found: list[Problem] = []
        self._model(model, body, "", found)
        return found

    def writable(self, model: str, body: Json) -> Json:
        """Validate `body` and return it in the form that the service stores.

        This form has no nulls and no read-only properties. Scalars have the type of the model, and enumeration values
        their published spelling.
        """
        self.validate(model, body)
        return self._written_model(model, body)

    def has(self, model: str) -> bool:
        """Whether the file has a model."""
        return model in self._published["models"]

    def fields(self, model: str) -> dict[str, list[str]]:
        """Return the fields of a model and its ancestors: wire name -> [type, marks]."""
        if model not in self._known_fields:
            entry = self._published["models"][model]
            inherited = self.fields(entry["base"]) if "base" in entry else {}
            self._known_fields[model] = {**inherited, **entry["fields"]}
        return self._known_fields[model]

    def values(self, enumeration: str) -> list[str]:
        """Return the values of an enumeration."""
        found: list[str] = self._published["enums"][enumeration]
        return found

    def kinds(self, model: str) -> tuple[str, dict[str, str]] | None:
        """Return the discriminator of a model and its values with their models, or None if it has no kinds."""
        entry = self._published["models"][model]
        found = entry.get("kind")
        return (found[0], found[1]) if found and found[1] else None

    def _concrete(self, model: str, body: Json) -> str | None:
        """Return the model that the body's discriminators select, or None if a discriminator has an unknown value."""
        while (found := self.kinds(model)) is not None:
            kind = _canonical(found[1], body.get(found[0]))
            if kind is None:
                return model if self._types_only else None
            model = found[1][kind]
        return model

    def _model(self, model: str, body: Any, path: str, problems: list[Problem]) -> None:
        if not isinstance(body, dict):
            problems.append((path, f"Expected an object, got {_shown(body)}."))
            return
        concrete = self._concrete(model, body)
        if concrete is None:
            self._unknown_kind(model, body, path, problems)
            return
        for name, (kind, marks) in self.fields(concrete).items():
            if "o" in marks:
                continue
            where = f"{path}.{name}" if path else name
            value = body.get(name)
            if value is not None:
                self.check_value(kind, value, where, problems)
            elif "r" in marks:
                problems.append((where, f"The {name} field is required."))

    def _unknown_kind(self, model: str, body: Json, path: str, problems: list[Problem]) -> None:
        found = self.kinds(model)
        while found is not None:
            field, kinds = found
            where = f"{path}.{field}" if path else field
            value = body.get(field)
            kind = _canonical(kinds, value)
            if kind is None:
                what = f"The {field} field is required" if value is None else f"{_shown(value)} is not a known {field}"
                problems.append((where, f"{what}; known are: {', '.join(sorted(kinds))}."))
                return
            found = self.kinds(kinds[kind])

    def check_value(self, kind: str, value: Any, path: str, problems: list[Problem]) -> None:
        """Add what is wrong with a value to the problems."""
        outer, _, inner = kind.partition(":")
        if outer == "model":
            self._model(inner, value, path, problems)
        elif outer == "list":
            if isinstance(value, list):
                for index, item in enumerate(value):
                    self.check_value(inner, item, f"{path}[{index}]", problems)
            else:
                problems.append((path, f"Expected a list, got {_shown(value)}."))
        elif outer == "map":
            if isinstance(value, dict):
                for key, item in value.items():
                    if item is not None:
                        self.check_value(inner, item, f"{path}.{key}", problems)
            else:
                problems.append((path, f"Expected an object, got {_shown(value)}."))
        elif outer == "enum":
            known = self.values(inner)
            if _canonical(known, value) is None:
                problems.append((path, f"{_shown(value)} is not one of {', '.join(known)}."))
        elif not _scalar(outer, value) or (self._types_only and outer == "str" and not isinstance(value, str)):
            problems.append((path, f"Expected {_WORDS[outer]}, got {_shown(value)}."))

    def written(self, kind: str, value: Any) -> Any:
        """Return a checked value in its stored form."""
        outer, _, inner = kind.partition(":")
        match outer:
            case "list":
                return [self.written(inner, item) for item in value]
            case "map":
                return {key: self.written(inner, item) for key, item in value.items() if item is not None}
            case "str":
                return value if isinstance(value, str) else json.dumps(value)
            case "enum":
                return _canonical(self.values(inner), value)
            case "bool":
                return value if isinstance(value, bool) else value.lower() == "true"
            case "int":
                return int(value)
            case "model":
                return self._written_model(inner, value)
        return value

    def _written_model(self, model: str, body: Json) -> Json:
        fields = self.fields(self._concrete(model, body) or model)
        written = {
            name: self.written(fields[name][0], item) if name in fields else item
            for name, item in body.items()
            if item is not None and (name not in fields or "o" not in fields[name][1])
        }
        while (found := self.kinds(model)) is not None and (kind := _canonical(found[1], body.get(found[0]))):
            written[found[0]] = kind
            model = found[1][kind]
        return written


_PLAIN = Models({}, code="InvalidRequestContent")


def fields(body: Json, kinds: Mapping[str, str], error: Callable[[str], AzureError] | None = None) -> Json:
    """Return a body without nulls, whose named fields have the given types: `str`, `list:map:any` and so on.

    For bodies without a published model. Raises AzureError 400 `InvalidRequestContent`, or what `error` makes of the
    problems, if a field has another type.
    """
    problems: list[Problem] = []
    given = {name: value for name, value in body.items() if value is not None}
    for name, kind in kinds.items():
        if name in given:
            _PLAIN.check_value(kind, given[name], name, problems)
    if problems:
        told = " ".join(f"{path}: {what}" for path, what in problems[:_MOST])
        raise error(told) if error else AzureError(400, "InvalidRequestContent", f"The request is invalid. {told}")
    return {name: _PLAIN.written(kinds.get(name, "any"), value) for name, value in given.items()}


def _canonical(known: Iterable[str], value: Any) -> str | None:
    """Return the published spelling of an enumeration's value, or None if the enumeration does not have it."""
    wanted = _plain(value) if isinstance(value, str) else None
    return next((item for item in known if _plain(item) == wanted), None)


def _plain(value: str) -> str:
    # Microsoft's examples have UriFile where the models have uri_file.
    return value.replace("_", "").lower()


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
            in_range = whole and abs(value) < _MOST_INTEGER
            return not isinstance(value, bool) and (in_range or _matches(_INTEGER, value))
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "datetime":
            return _matches(_DATETIME, value) and _is_moment(value)
        case "duration":
            return _matches(_DURATION, value)
    return True


def _is_moment(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
