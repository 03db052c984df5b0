"""Each value of a stack file, replaced by what does not belong there: one error names its key, without a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.settings.configuration import ConfigurationError, parse
from tests.unit.infra.stack_files import filled_in

Path = tuple[str | int, ...]
WRONG: dict[str, Any] = {
    "null": None,
    "true": True,
    "-1": -1,
    "1.5": 1.5,
    "a huge number": 10**30,
    "infinity": float("inf"),
    "not a number": float("nan"),
    "empty text": "",
    "a space": " ",
    "control characters": "a\x00\x1b[2Jb",
    "half a surrogate pair": "\ud800",
    "a long text": "x" * 100_000,
    "a path": "../../etc/passwd",
    "an expression": "${{ secrets.KEY }}",
    "markup": "[red]<b>|`$(id)`\n# a",
    "an empty list": [],
    "a list": ["a", {"b": [1]}],
    "an empty map": {},
    "a map": {"a": {"b": "c"}},
    "a secret": {"secure": "AAABAG"},
    "deep": json.loads("[" * 200 + "]" * 200),
}


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value, and of each one inside."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _places(each, (*path, key))


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _replaced(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = _replaced(value[path[0]], path[1:], new)
    return changed


VALUES = filled_in("dev")
STACK = {key: _decoded(value) for key, value in VALUES.items()}


@pytest.mark.parametrize("key", STACK)
def test_a_value_that_does_not_belong_there_is_one_clear_error(key: str) -> None:
    accepted = 0
    for path in _places(STACK[key]):
        for name, wrong in WRONG.items():
            given = _replaced(STACK[key], path, wrong)
            text = given if isinstance(given, str) else json.dumps(given)
            try:
                parse({**VALUES, key: text}, "dev")
            except ConfigurationError as error:
                message = str(error)
                assert key in message, (path, name)
                assert "fix: " in message, (path, name)
                assert len(message) < 4000, (path, name, len(message))
                assert message.replace("\n", "").isprintable(), (path, name)
            else:
                accepted += 1
    assert accepted < len(WRONG) * len(list(_places(STACK[key])))
