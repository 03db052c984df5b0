"""Expressions of the Workflow Definition Language: those functions that amlite's workflows may use.

A text that starts with `@` is an expression, and `@{…}` inside a text inserts one. `@@` is the character.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z]\w*)|(?P<sign>\?\[|[()\[\],]))")
_PATH = re.compile(r"string\(//(\w+)\)")
_TICKS_PER_SECOND = 10_000_000
_YEAR_ONE = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


class ExpressionError(Exception):
    """An expression that amlite cannot read or evaluate. The message says why."""


@dataclass(frozen=True)
class Context:
    """What expressions can refer to: the trigger's body, the actions' bodies by name, and the time."""

    trigger: Any
    bodies: Mapping[str, Any]
    now: dt.datetime


def check(value: Any) -> None:
    """Raise ExpressionError if a text anywhere in a value has an expression that amlite does not support."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            check(each)
    elif isinstance(value, str):
        for source in _sources(value):
            _parse(source)


def evaluate(value: Any, context: Context) -> Any:
    """Return a value with its expressions evaluated. Raises ExpressionError."""
    if isinstance(value, dict):
        return {key: evaluate(each, context) for key, each in value.items()}
    if isinstance(value, list):
        return [evaluate(each, context) for each in value]
    if not isinstance(value, str) or "@" not in value:
        return value
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@") and not value.startswith("@{"):
        return _run(_parse(value[1:]), context)
    out, rest = "", value
    while "@{" in rest:
        before, _, after = rest.partition("@{")
        source, rest = _braced(after)
        out += before + _text(_run(_parse(source), context))
    return out + rest


def _sources(text: str) -> list[str]:
    if text.startswith("@@"):
        return []
    if text.startswith("@") and not text.startswith("@{"):
        return [text[1:]]
    found = []
    while "@{" in text:
        source, text = _braced(text.partition("@{")[2])
        found.append(source)
    return found


def _braced(text: str) -> tuple[str, str]:
    """Return the expression before the closing brace, and the rest."""
    quoted = False
    for index, letter in enumerate(text):
        quoted ^= letter == "'"
        if letter == "}" and not quoted:
            return text[:index], text[index + 1 :]
    raise ExpressionError(f"'@{{{text}' has no closing brace")


def _parse(source: str) -> Any:
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(source.rstrip()):
        found = _TOKEN.match(source, place)
        if found is None:
            raise ExpressionError(f"'{source}' cannot be read at '{source[place:]}'")
        kind = str(found.lastgroup)
        tokens.append((kind, found[kind]))
        place = found.end()
    tree = _value(tokens, source)
    if tokens:
        raise ExpressionError(f"'{source}' has '{tokens[0][1]}' after its end")
    return tree


def _value(tokens: list[tuple[str, str]], source: str) -> Any:
    kind, text = _take(tokens, source)
    if kind == "text":
        tree: Any = ("literal", text[1:-1].replace("''", "'"))
    elif kind == "number":
        tree = ("literal", int(text))
    elif kind == "name" and text in ("true", "false", "null"):
        tree = ("literal", {"true": True, "false": False, "null": None}[text])
    elif kind == "name":
        tree = ("call", _function(text), _arguments(tokens, source))
    else:
        raise ExpressionError(f"'{source}' has '{text}' where a value must be")
    while tokens and tokens[0][1] in ("[", "?["):
        safe = _take(tokens, source)[1] == "?["
        tree = ("member", tree, _value(tokens, source), safe)
        _expect(tokens, source, "]")
    return tree


def _arguments(tokens: list[tuple[str, str]], source: str) -> list[Any]:
    _expect(tokens, source, "(")
    found = []
    while tokens and tokens[0][1] != ")":
        found.append(_value(tokens, source))
        if tokens and tokens[0][1] == ",":
            tokens.pop(0)
    _expect(tokens, source, ")")
    return found


def _take(tokens: list[tuple[str, str]], source: str) -> tuple[str, str]:
    if not tokens:
        raise ExpressionError(f"'{source}' ends too early")
    return tokens.pop(0)


def _expect(tokens: list[tuple[str, str]], source: str, sign: str) -> None:
    if _take(tokens, source)[1] != sign:
        raise ExpressionError(f"'{source}' has no '{sign}' where one must be")


def _function(name: str) -> str:
    known = {each.lower(): each for each in (*_FUNCTIONS, "triggerBody", "body", "utcNow")}
    if name.lower() not in known:
        raise ExpressionError(
            f"the function '{name}' is not part of this local Azure; it has {', '.join(sorted(known.values()))}"
        )
    return known[name.lower()]


def _run(tree: Any, context: Context) -> Any:
    if tree[0] == "literal":
        return tree[1]
    if tree[0] == "member":
        inner, key = _run(tree[1], context), _run(tree[2], context)
        try:
            return inner[key]
        except (KeyError, IndexError, TypeError) as error:
            if tree[3] and (inner is None or isinstance(error, KeyError)):
                return None
            raise ExpressionError(f"property '{key}' cannot be selected") from error
    _, name, given = tree
    arguments = [_run(each, context) for each in given]
    if name == "triggerBody":
        return context.trigger
    if name == "utcNow":
        return context.now.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    if name == "body":
        if arguments[0] not in context.bodies:
            raise ExpressionError(f"the action '{arguments[0]}' has not run")
        return context.bodies[arguments[0]]
    try:
        return _FUNCTIONS[name](*arguments)
    except (TypeError, ValueError, AttributeError) as error:
        raise ExpressionError(f"the function '{name}' cannot take its arguments: {error}") from error


def _ticks(text: str) -> int:
    moment = dt.datetime.fromisoformat(text[:26].rstrip("Z")).replace(tzinfo=dt.UTC)
    since = moment - _YEAR_ONE
    return (since.days * 86_400 + since.seconds) * _TICKS_PER_SECOND + since.microseconds * 10


def _xpath(document: str, path: str) -> str:
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"amlite reads paths such as 'string(//Name)', not '{path}'")
    return ET.fromstring(document).findtext(f".//{found[1]}") or ""  # noqa: S314 - stdlib expands nothing external


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: all(values),
    "base64ToString": lambda text: base64.b64decode(text).decode(),
    "concat": lambda *values: "".join(map(_text, values)),
    "contains": lambda where, what: what in where,
    "div": lambda one, other: one // other,
    "empty": lambda value: not value,
    "encodeUriComponent": lambda text: urllib.parse.quote(text, safe=""),
    "equals": _same,
    "json": json.loads,
    "not": lambda value: not value,
    "or": lambda *values: any(values),
    "setProperty": lambda value, name, new: {**value, name: new},
    "string": _text,
    "ticks": _ticks,
    "xml": str,
    "xpath": _xpath,
}
