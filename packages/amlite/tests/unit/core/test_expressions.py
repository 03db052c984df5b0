"""The language of workflow expressions. Source: "Expressions and functions in Azure Data Factory"."""

from __future__ import annotations

from typing import Any

import pytest

from amlite.core import expressions
from amlite.core.expressions import FUNCTIONS, ExpressionError

KNOWN = {**FUNCTIONS, "activity": lambda name: {"output": {"Items": [1, 2]}, "name": name}, "nothing": lambda: None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("@@mail", "@mail"),
        ("@equals(1, 1.0)", True),
        ("a @{activity('x').name} b", "a x b"),
        ("@activity('x').output.Items[1]", 2),
        ("@activity('x').output.items[0]", 1),
        ("@activity('x')?.missing?.deeper", None),
        ("@nothing()?.anything", None),
        ("@if(greater(2, 1), 'it''s', 'no')", "it's"),
        ("@contains(createArray('a', 'b'), 'b')", True),
        ("@coalesce(null, 'x')", "x"),
        ("@{createArray(1, true)}", "[1, true]"),
    ],
)
def test_value_of_an_expression(text: str, value: Any) -> None:
    expressions.check(text, KNOWN)
    assert expressions.evaluate({"key": [text]}, KNOWN) == {"key": [value]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@other()", "the function 'other' is not part of this local Azure"),
        ("@equals(1)", "the function 'equals' does not take 1 arguments"),
        ("@activity('x').", "ends too early"),
        ("@activity('x').[1]", "where the name of a property must be"),
        ("@{activity('x')", "no closing brace"),
        ("@concat('a' 'b')", "no ','"),
        ("@concat('a', 'b'", "ends too early"),
    ],
)
def test_expression_is_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said.replace("(", r"\(").replace(")", r"\)")):
        expressions.check([{"deep": text}], KNOWN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "@activity('x').output.value",
            "property 'value' doesn't exist, available properties are 'Items'",
        ),
        ("@div(1, 0)", "calls 'div', which cannot take its arguments"),
        ("@nothing().output", "property 'output' doesn't exist"),
    ],
)
def test_expression_that_cannot_be_evaluated_says_why(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        expressions.evaluate(text, KNOWN)


LONG = "a" * 500


@pytest.mark.attack
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@mul('a', 1000000000)", "must be numbers"),
        ("@mul(9000000000000000000, 9000000000000000000)", "too large"),
        ("@" + "replace(" * 6 + f"'{LONG}'" + f", 'a', '{LONG}')" * 6, "more than 10000000"),
        (f"@{'not(' * 2000}true{')' * 2000}", "more than 8192"),
        (f"@{'not(' * 1600}true{')' * 1600}", "nested too deeply"),
        (f"@concat({', '.join(['1'] * 5000)})", "more than 8192"),
    ],
)
def test_an_expression_takes_neither_long_nor_much_memory(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        expressions.evaluate(text, KNOWN)


@pytest.mark.attack
def test_a_value_that_is_small_in_memory_and_huge_when_it_is_written_is_refused() -> None:
    """Each text doubles the one inside."""
    text = "createArray('a')"
    for _ in range(40):
        text = f"twice({text})"
    known = {**KNOWN, "twice": lambda value: [value, value]}
    with pytest.raises(ExpressionError, match="more than 100000 items"):
        expressions.evaluate(f"@{text}", known)
    with pytest.raises(ExpressionError, match="more than 10000000 characters"):
        expressions.evaluate(f"@concat({', '.join(['large()'] * 400)})", {**KNOWN, "large": lambda: "a" * 10_000_000})
