"""The types of a pipeline's inputs, and that a text which a user typed stays this text."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import (
    CatalogueErrors,
    CatalogueSettings,
    Overrides,
    PipelineOverrides,
    plan_definitions,
)
from pulumi_azureml.planning.inputs import DATA, input_type, typed

# YAML 1.1 reads each of these as something else than text.
TEXTS = ("0123456", "2013-10-01", "1.10", "yes", "null", "~", "1e3", "0x10", "12:30:45", "1_000", "true", " a ", "a: b")
PORTS = {"text": "string", "count": "integer", "rate": "number", "flag": "boolean", "rows": "uri_file"}


def pipeline(value: Any, *bindings: str) -> dict[str, Any]:
    inputs = {f"to_{number}": binding for number, binding in enumerate(bindings)}
    return {"inputs": {"it": value}, "jobs": {"step": {"component": "azureml:c", "inputs": inputs}}}


@pytest.mark.parametrize("text", TEXTS)
def test_text_for_a_text_input_stays_what_was_typed(text: str) -> None:
    assert typed("string", text) == text


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("integer", "0012", 12),
        ("integer", "-5", -5),
        ("number", "5", 5),
        ("number", "1e3", 1000.0),
        ("number", ".5", 0.5),
        ("boolean", "True", True),
        ("boolean", "false", False),
        (DATA, "azureml:days:3", "azureml:days:3"),
    ],
)
def test_text_becomes_a_value_of_the_inputs_type(type_: str, text: str, value: Any) -> None:
    assert typed(type_, text) == value
    assert type(typed(type_, text)) is type(value)


@pytest.mark.parametrize(
    ("type_", "text", "message"),
    [
        ("integer", "5.5", "takes an integer but gets '5.5'"),
        ("integer", "1e3", "takes an integer but gets '1e3'"),
        ("integer", "1_000", "takes an integer but gets '1_000'"),
        ("integer", "", "takes an integer but gets ''"),
        ("number", "nan", "takes a number but gets 'nan'"),
        ("number", "1e999", "takes a number but gets '1e999'"),
        ("boolean", "yes", "takes true or false but gets 'yes'"),
        ("string", "", "takes text but gets ''"),
        (DATA, "", "takes a data asset (`azureml:NAME:VERSION`), a path or a URI but gets ''"),
    ],
)
def test_text_of_another_type_is_refused(type_: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^takes ") as raised:
        typed(type_, text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("value", "port", "expected"),
    [
        ({"type": "string", "value": 5}, "count", "string"),  # the pipeline's own declaration
        ({"type": "uri_file", "path": "azureml:days"}, "rows", DATA),
        ({"path": "azureml:days"}, "rows", DATA),
        (20130101, "text", "string"),  # the component's
        (True, "text", "string"),
        (1, "rate", "number"),
        ("60", "count", "integer"),
        ({"value": 1}, "flag", "boolean"),
        (1, None, "number"),  # what YAML made of the file's value
        (0.5, None, "number"),
        (False, None, "boolean"),
        ("a", None, "string"),
    ],
)
def test_an_input_has_the_type_of_its_declaration_or_of_its_component(
    value: Any, port: str | None, expected: str
) -> None:
    made = pipeline(value, "${{parent.inputs.it}}")
    declared = {"to_0": {"type": PORTS[port]}} if port is not None else {}
    assert input_type("it", made, lambda _reference: declared) == expected


def test_an_input_of_two_components_has_the_stricter_type_and_a_part_of_a_text_is_text() -> None:
    made = pipeline(1, "${{parent.inputs.it}}", "${{ parent.inputs.it }}")
    declared = {"to_0": {"type": "number"}, "to_1": {"type": "integer"}}
    assert input_type("it", made, lambda _reference: declared) == "integer"
    made = pipeline(1, "run-${{parent.inputs.it}}")
    assert input_type("it", made, lambda _reference: declared) == "string"


@pytest.mark.parametrize("text", TEXTS)
def test_typed_text_reaches_the_definition_unchanged_and_wins_over_the_stacks_value(
    text: str, project: Project
) -> None:
    project.write("pipelines/other.yml", "type: pipeline\ninputs: {it: a}\njobs: {}\n")
    overrides = Overrides(pipelines={"other": PipelineOverrides(inputs={"it": "b"})})
    plan = project.load(overrides=overrides, inputs={"other": {"it": text}})
    assert plan["pipeline_job", "other"].definition["inputs"] == {"it": text}


@pytest.mark.parametrize(
    ("name", "text", "message", "fix"),
    [
        ("steps", "5.5", "--input steps: input 'steps' takes an integer but gets '5.5'", "give it an integer"),
        ("stepz", "5", "--input stepz: pipeline 'training' has no input 'stepz'", "did you mean 'steps'?"),
        ("days", "azureml:dais", "unknown data 'dais' (set by --input days)", "did you mean 'days'?"),
    ],
)
def test_wrong_text_is_one_problem_that_names_the_option(
    name: str, text: str, message: str, fix: str, project: Project
) -> None:
    found = project.problem(inputs={"training": {name: text}})
    assert (found.message, found.fix) == (message, fix)


def test_a_date_that_a_program_gives_is_a_problem(tmp_path: Path) -> None:
    job = {"type": "pipeline", "inputs": {"it": date(2013, 10, 1)}, "jobs": {}}
    with pytest.raises(CatalogueErrors) as caught:
        plan_definitions(tmp_path, {"other": ("pipeline_job", job)}, CatalogueSettings(None, cache_folder=None))
    (found,) = caught.value.problems
    assert found.message == "YAML reads input 'it' as a date, and Azure takes text"
    assert found.fix == 'write it in quotes: "2013-10-01"'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.1, "input 'it' takes text but gets '1.1'"),
        ("2013-10-01 00:00:00 +0000 UTC", "input 'it' takes text but gets the time '2013-10-01 00:00:00 +0000 UTC'"),
    ],
)
def test_a_value_of_the_stack_that_yaml_changed_is_no_text(value: Any, message: str, project: Project) -> None:
    """Pulumi 3.259 makes 1.1 of 1.10, and that time of 2013-10-01, if they have no quotes in the stack file."""
    project.write("pipelines/other.yml", "type: pipeline\ninputs: {it: a}\njobs: {}\n")
    found = project.problem(overrides=Overrides(pipelines={"other": PipelineOverrides(inputs={"it": value})}))
    assert found.message.endswith(message)
    assert found.fix == "write it in quotes"
