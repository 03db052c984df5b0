"""Expressions of the Workflow Definition Language, which Logic Apps and Data Factory share.

A text that starts with `@` is an expression, and `@{…}` inside a text inserts one. `@@` is the character. A service
adds its own functions to `FUNCTIONS`.
"""

from __future__ import annotations

import base64
import contextlib
import contextvars
import datetime as dt
import inspect
import json
import re
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

Functions = Mapping[str, Callable[..., Any]]
"""The functions that an expression may call, by their names, which are compared without case."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\?\[|\?\.|[()\[\],.]))"
)
_BRACE = re.compile("['}]")
_PATH = re.compile(r"string\(//(\w+)\)")
_MOST_CHARACTERS = 8192
_MOST_TEXT = 10_000_000
_MOST_ITEMS = 100_000
_MOST_NUMBER = 1 << 63
_MOST_WORK = 2_000_000
_TOO_LONG = f"the result has more than {_MOST_TEXT} characters"
_TICKS_PER_SECOND = 10_000_000
_YEAR_ONE = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Lazy:
    """A function that evaluates only the arguments that it needs. It gets each one as a function without arguments."""

    function: Callable[..., Any]

    def __call__(self, *arguments: Callable[[], Any]) -> Any:
        """Call the function."""
        return self.function(*arguments)


class ExpressionError(Exception):
    """An expression that amlite cannot read or evaluate. The message says why."""


@dataclass
class _Work:
    """The work that is left, in units of about a microsecond."""

    left: int = _MOST_WORK


_work: contextvars.ContextVar[_Work | None] = contextvars.ContextVar("expression_work", default=None)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Let the expressions inside take a second or two in all, because amlite answers nobody else meanwhile.

    Above that, they raise ExpressionError. Inside another such block, they share its time.
    """
    if _work.get() is not None:
        yield
        return
    token = _work.set(_Work())
    try:
        yield
    finally:
        _work.reset(token)


def _spend(units: int) -> None:
    if (work := _work.get()) is not None:
        work.left -= units
        if work.left < 0:
            raise ExpressionError("takes too long together with the other ones: there are too many, or large ones")


def check(value: Any, functions: Functions) -> None:
    """Raise ExpressionError if a text anywhere in a value has an expression that amlite does not support."""
    known = {each.lower(): each for each in functions}
    with limited():
        _check(value, functions, known)


def _check(value: Any, functions: Functions, known: Mapping[str, str]) -> None:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _check(each, functions, known)
    elif isinstance(value, str):
        for source in sources(value):
            _check_tree(_parse(source), functions, known)


def evaluate(value: Any, functions: Functions) -> Any:
    """Return a value with its expressions evaluated. Raises ExpressionError."""
    known = _lowered(functions)
    with limited():
        return _evaluate(value, known)


def _evaluate(value: Any, functions: Functions) -> Any:
    if isinstance(value, dict):
        return {key: _evaluate(each, functions) for key, each in value.items()}
    if isinstance(value, list):
        return [_evaluate(each, functions) for each in value]
    if not isinstance(value, str) or "@" not in value:
        return value
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@") and not value.startswith("@{"):
        return _result(value[1:], functions)
    pieces = (part if plain else text_of(_result(part, functions)) for plain, part in _split(value))
    try:
        return joined(pieces)
    except ValueError as error:
        raise ExpressionError(f"the text '{value[:60]}…' cannot be evaluated: {error}") from error


def sources(text: str) -> list[str]:
    """Return the expressions in a text."""
    if text.startswith("@@"):
        return []
    if text.startswith("@") and not text.startswith("@{"):
        return [text[1:]]
    return [part for plain, part in _split(text) if not plain]


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a text, each with whether it is plain. The others are the expressions in `@{…}`."""
    place = 0
    while (begin := text.find("@{", place)) >= 0:
        yield True, text[place:begin]
        end = _closing(text, begin + 2)
        yield False, text[begin + 2 : end]
        place = end + 1
    yield True, text[place:]


def timestamp(moment: dt.datetime) -> str:
    """Return a time as the language writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def text_of(value: Any) -> str:
    """Return a value as the text that `@{…}` inserts."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def joined(pieces: Iterable[str]) -> str:
    """Join texts. Raises ValueError as soon as the result is longer than a text may be."""
    kept, left = [], _MOST_TEXT
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise ValueError(_TOO_LONG)
        kept.append(piece)
    return "".join(kept)


def result(source: str, functions: Functions) -> Any:
    """Return the value of one expression, without the sign that marks it. Raises ExpressionError."""
    with limited():
        return _result(source, _lowered(functions))


def _result(source: str, functions: Functions) -> Any:
    """Return the value of an expression. The names of `functions` are in lower case."""
    try:
        return _run(_parse(source), functions)
    except ExpressionError as error:
        raise ExpressionError(f"the expression '{source}' {error}") from error


def _lowered(functions: Functions) -> Functions:
    return {name.lower(): function for name, function in functions.items()}


def _closing(text: str, begin: int) -> int:
    """Return the place of the brace that closes the expression at `begin`."""
    quoted = False
    for found in _BRACE.finditer(text, begin):
        quoted ^= found[0] == "'"
        if found[0] == "}" and not quoted:
            return found.start()
    raise ExpressionError(f"'@{{{text[begin : begin + 60]}' has no closing brace")


def _parse(source: str) -> Any:
    """Return the tree of an expression. The limit is in "Limits and configuration reference for Azure Logic Apps"."""
    if len(source) > _MOST_CHARACTERS:
        raise ExpressionError(f"has more than {_MOST_CHARACTERS} characters: '{source[:60]}…'")
    _spend(10 + len(source))
    try:
        return _tree(source)
    except RecursionError as error:
        raise ExpressionError(f"is nested too deeply: '{source[:60]}…'") from error


def _tree(source: str) -> Any:
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
        tree = ("literal", float(text) if "." in text else int(text))
    elif kind == "name" and text in ("true", "false", "null"):
        tree = ("literal", {"true": True, "false": False, "null": None}[text])
    elif kind == "name":
        tree = ("call", text, _arguments(tokens, source))
    else:
        raise ExpressionError(f"'{source}' has '{text}' where a value must be")
    while tokens and tokens[0][1] in ("[", "?[", ".", "?."):
        sign = _take(tokens, source)[1]
        if sign in (".", "?."):
            named, name = _take(tokens, source)
            if named != "name":
                raise ExpressionError(f"'{source}' has '{name}' where the name of a property must be")
            tree = ("member", tree, ("literal", name), sign == "?.")
            continue
        tree = ("member", tree, _value(tokens, source), sign == "?[")
        _expect(tokens, source, "]")
    return tree


def _arguments(tokens: list[tuple[str, str]], source: str) -> list[Any]:
    _expect(tokens, source, "(")
    found: list[Any] = []
    while tokens and tokens[0] != ("sign", ")"):
        if found:
            _expect(tokens, source, ",")
        found.append(_value(tokens, source))
    _expect(tokens, source, ")")
    return found


def _take(tokens: list[tuple[str, str]], source: str) -> tuple[str, str]:
    if not tokens:
        raise ExpressionError(f"'{source}' ends too early")
    return tokens.pop(0)


def _expect(tokens: list[tuple[str, str]], source: str, sign: str) -> None:
    if _take(tokens, source)[1] != sign:
        raise ExpressionError(f"'{source}' has no '{sign}' where one must be")


def _check_tree(tree: Any, functions: Functions, known: Mapping[str, str]) -> None:
    if tree[0] == "member":
        _check_tree(tree[1], functions, known)
        _check_tree(tree[2], functions, known)
    if tree[0] != "call":
        return
    _, name, given = tree
    _spend(30)
    if name.lower() not in known:
        raise ExpressionError(
            f"the function '{name}' is not part of this local Azure; it has {', '.join(sorted(known.values()))}"
        )
    try:
        inspect.signature(functions[known[name.lower()]]).bind(*given)
    except TypeError as error:
        raise ExpressionError(f"the function '{name}' does not take {len(given)} arguments") from error
    except ValueError:
        pass  # a built-in function without a signature
    for each in given:
        _check_tree(each, functions, known)


def _run(tree: Any, functions: Functions) -> Any:
    if tree[0] == "literal":
        return tree[1]
    if tree[0] == "member":
        return _member(_run(tree[1], functions), _run(tree[2], functions), safe=tree[3])
    _, name, given = tree
    if name.lower() not in functions:
        raise ExpressionError(f"calls the function '{name}', which is not part of this local Azure")
    function = functions[name.lower()]
    lazy = isinstance(function, Lazy)
    arguments = [partial(_run, each, functions) if lazy else _run(each, functions) for each in given]
    try:
        found = function(*arguments)
        _spend(10 + _size(found))
        return found
    except (TypeError, ValueError, AttributeError, ZeroDivisionError, RecursionError) as error:
        raise ExpressionError(f"calls '{name}', which cannot take its arguments: {error}") from error


def _size(value: Any) -> int:
    """Return the units of work that it takes to read a value: its items, and a thousandth of its characters.

    Raises ValueError for a value that is too large when it is written. In memory, its parts can be shared.
    """
    texts, items, rest = _MOST_TEXT, _MOST_ITEMS, [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            texts -= len(each)
        elif isinstance(each, list | dict):
            items -= len(each)
        if texts < 0 or items < 0:
            raise ValueError(_TOO_LONG if texts < 0 else f"the result has more than {_MOST_ITEMS} items")
        if isinstance(each, dict):
            rest += [*each, *each.values()]
        elif isinstance(each, list):
            rest += each
    return _MOST_ITEMS - items + (_MOST_TEXT - texts) // 1000


def _member(inner: Any, key: Any, *, safe: bool) -> Any:
    if isinstance(inner, dict) and key not in inner:
        key = next((name for name in inner if name.lower() == str(key).lower()), key)
    try:
        return inner[key]
    except (KeyError, IndexError, TypeError) as error:
        if safe and (inner is None or isinstance(error, KeyError)):
            return None
        known = ", ".join(inner) if isinstance(inner, dict) else ""
        raise ExpressionError(
            f"cannot be evaluated because property '{key}' doesn't exist, available properties are '{known}'"
        ) from error


def _ticks(text: str) -> int:
    moment = dt.datetime.fromisoformat(text[:26].rstrip("Z")).replace(tzinfo=dt.UTC)
    since = moment - _YEAR_ONE
    return (since.days * 86_400 + since.seconds) * _TICKS_PER_SECOND + since.microseconds * 10


def _xpath(document: str, path: str) -> str:
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"amlite reads paths such as 'string(//Name)', not '{path}'")
    return ET.fromstring(document).findtext(f".//{found[1]}") or ""  # noqa: S314 - stdlib expands nothing external


def _replace(text: str, old: str, new: str) -> str:
    if len(text) + text.count(old) * len(new) > _MOST_TEXT:
        raise ValueError(_TOO_LONG)
    return text.replace(old, new)


def _calculated(calculate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a function of two numbers. Python would multiply a text too."""

    def function(one: Any, other: Any) -> Any:
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in (one, other)):
            raise TypeError("they must be numbers")
        found = calculate(one, other)
        if abs(found) > _MOST_NUMBER:
            raise ValueError("the result is too large")
        return found

    return function


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


FUNCTIONS: Functions = {
    "add": _calculated(lambda one, other: one + other),
    "and": lambda *values: all(values),
    "base64ToString": lambda text: base64.b64decode(text).decode(),
    "bool": lambda value: value.lower() == "true" if isinstance(value, str) else bool(value),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": lambda *values: joined(map(text_of, values)),
    "contains": lambda where, what: what in where,
    "createArray": lambda *values: list(values),
    "div": _calculated(lambda one, other: one // other),
    "empty": lambda value: not value,
    "encodeUriComponent": lambda text: urllib.parse.quote(text, safe=""),
    "endsWith": lambda text, end: text.lower().endswith(end.lower()),
    "equals": _same,
    "first": lambda value: value[0] if value else None,
    "greater": lambda one, other: one > other,
    "greaterOrEquals": lambda one, other: one >= other,
    "guid": lambda: str(uuid.uuid4()),
    "if": lambda condition, yes, no: yes if condition else no,
    "int": int,
    "json": json.loads,
    "last": lambda value: value[-1] if value else None,
    "length": len,
    "less": lambda one, other: one < other,
    "lessOrEquals": lambda one, other: one <= other,
    "mul": _calculated(lambda one, other: one * other),
    "not": lambda value: not value,
    "or": lambda *values: any(values),
    "replace": _replace,
    "setProperty": lambda value, name, new: {**value, name: new},
    "split": lambda text, mark: text.split(mark),
    "startsWith": lambda text, start: text.lower().startswith(start.lower()),
    "string": text_of,
    "sub": _calculated(lambda one, other: one - other),
    "ticks": _ticks,
    "toLower": lambda text: text.lower(),
    "toUpper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "xml": str,
    "xpath": _xpath,
}
"""The functions that both services have here."""
