from __future__ import annotations

from typing import Any

import pytest

from amlite.services.jobs.graph import Data, GraphError, Literal, StepOutput, check_literal, parse, parse_input

INPUTS: dict[str, Literal | Data] = {"rate": Literal("0.1"), "raw": Data("azureml:raw:1", "uri_file")}


def node(**inputs: str) -> dict[str, Any]:
    return {"inputs": {name: {"job_input_type": "literal", "value": value} for name, value in inputs.items()}}


def test_bindings_become_inputs_and_order() -> None:
    jobs = {
        "train": node(
            data="${{parent.jobs.prep.outputs.rows}}", rate="${{parent.inputs.rate}}", note="r=${{parent.inputs.rate}}"
        ),
        "prep": {
            **node(raw="${{parent.inputs.raw}}"),
            "outputs": {"rows": {"value": "${{parent.outputs.rows}}", "type": "literal"}},
        },
    }
    nodes = parse(jobs, INPUTS)
    assert list(nodes) == ["prep", "train"]
    assert nodes["prep"].inputs == {"raw": Data("azureml:raw:1", "uri_file")}
    assert nodes["prep"].outputs == {"rows": "rows"}
    assert nodes["train"].inputs == {
        "data": StepOutput("prep", "rows"),
        "rate": Literal("0.1"),
        "note": Literal("r=0.1"),
    }
    assert nodes["train"].needs == {"prep"}


def test_an_input_of_another_node_has_the_same_source() -> None:
    jobs = {
        "a": node(
            rate="${{parent.inputs.rate}}",
            note="n",
            rows="${{parent.jobs.prep.outputs.rows}}",
            no="${{parent.inputs.no}}",
        ),
        "b": node(**{name: f"${{{{ parent.jobs.a.inputs.{name} }}}}" for name in ("rate", "note", "rows", "no")}),
        "c": node(rate="${{parent.jobs.b.inputs.rate}}"),
        "prep": node(),
    }
    nodes = parse(jobs, INPUTS, left_out=["no"])
    assert nodes["b"].inputs == {"rate": Literal("0.1"), "note": Literal("n"), "rows": StepOutput("prep", "rows")}
    assert nodes["b"].needs == {"prep"}
    assert nodes["c"].inputs == {"rate": Literal("0.1")}


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({"a": node(x="${{parent.inputs.none}}")}, "names no input of the pipeline; there are: rate, raw"),
        ({"a": node(x="${{parent.jobs.b.outputs.y}}")}, "names no node of the pipeline; there are: a"),
        ({"a": node(x="${{parent.outputs.y}}")}, "is not a binding that an input can have"),
        ({"a": node(x="${{parent.jobs.a.inputs.y}}")}, "names an input to which its node gives no value"),
        ({"a": node(x="${{parent.jobs.b.inputs.y}}")}, "names no node of the pipeline; there are: a"),
        (
            {"a": node(x="${{parent.jobs.b.inputs.x}}"), "b": node(x="${{parent.jobs.a.inputs.x}}")},
            "names an input to which its node gives no value",
        ),
        ({"a": node(x="n${{parent.inputs.raw}}")}, "must name a literal input"),
        (
            {"a": node(x="${{parent.jobs.b.outputs.y}}"), "b": node(x="${{parent.jobs.a.outputs.y}}")},
            "wait for each other",
        ),
    ],
)
def test_a_binding_to_nothing_is_refused_by_name(jobs: dict[str, Any], said: str) -> None:
    with pytest.raises(GraphError, match=said):
        parse(jobs, INPUTS)


def test_inputs_are_read_in_both_spellings() -> None:
    assert parse_input("a", {"jobInputType": "uri_folder", "uri": "azureml://x"}) == Data("azureml://x", "uri_folder")
    assert parse_input("a", {"job_input_type": "literal", "value": True}) == Literal("True")
    with pytest.raises(GraphError, match="input 'a' of type uri_file has no uri"):
        parse_input("a", {"jobInputType": "uri_file"})


@pytest.mark.parametrize(
    ("value", "declared", "said"),
    [
        ("x", {"type": "integer"}, "must be an integer, got 'x'"),
        ("1.5", {"type": "integer"}, "must be an integer"),
        ("x", {"type": "number"}, "must be a number"),
        ("2", {"type": "number", "min": "0.0", "max": "1.0"}, "must be between 0.0 and 1.0, got 2"),
        ("yes", {"type": "boolean"}, "must be true or false"),
        ("c", {"type": "string", "enum": ["a", "b"]}, "must be one of a, b"),
        ("text", {"type": "uri_folder"}, "must be a path of type uri_folder"),
    ],
)
def test_literals_are_held_against_their_declaration(value: str, declared: dict[str, Any], said: str) -> None:
    with pytest.raises(GraphError, match=said):
        check_literal("a", value, declared)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        ("3", {"type": "integer", "min": "1"}),
        ("0.5", {"type": "number", "max": 1}),
        ("True", {"type": "boolean"}),
        ("a", {"type": "string", "enum": ["a"]}),
    ],
)
def test_literals_that_fit_pass(value: str, declared: dict[str, Any]) -> None:
    check_literal("a", value, declared)
