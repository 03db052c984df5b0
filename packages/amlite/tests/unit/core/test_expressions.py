"""The language of workflow expressions. Source: "Expressions and functions in Azure Data Factory"."""

from __future__ import annotations

import time
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
        expressions.evaluate(f"@concat({', '.join(['large()'] * 100)})", {**KNOWN, "large": lambda: "a" * 10_000_000})


@pytest.mark.attack
@pytest.mark.parametrize("text", ["@{value()}" * 100_000, ["@value()"] * 100_000, ["@length(items())"] * 1000])
def test_many_expressions_take_no_longer_than_one_may(text: Any) -> None:
    """Amlite answers nobody else while it evaluates them."""
    known = {**KNOWN, "value": lambda: "x" * 1_000_000, "items": lambda: ["x"] * 90_000}
    began = time.process_time()
    with pytest.raises(ExpressionError, match=r"takes too long|more than 10000000"):
        expressions.evaluate(text, known)
    with pytest.raises(ExpressionError, match="takes too long"):
        expressions.check(text if len(text) > 1000 else text * 100, known)
    assert time.process_time() - began < 20


def test_each_evaluation_has_its_own_time() -> None:
    for _ in range(3):
        assert len(expressions.evaluate(["@length('ab')"] * 50_000, KNOWN)) == 50_000


@pytest.mark.parametrize("text", ["@{'}'}", "a@{concat('it''s ', '}')}b", "@{'x'}@{'y'} {z}"])
def test_braces_in_quotes_close_no_expression(text: str) -> None:
    known = {**KNOWN, "concat": FUNCTIONS["concat"]}
    wanted = {"@{'}'}": "}", "a@{concat('it''s ', '}')}b": "ait's }b", "@{'x'}@{'y'} {z}": "xy {z}"}
    assert expressions.evaluate(text, known) == wanted[text]
