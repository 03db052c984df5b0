"""The form of gate.yml: what is refused, with which fix, and what overrides change."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml.gate.src.rules import RulesError, json_schema, mistakes, overridden, read_rules
from tests.unit.ml.conftest import ROOT

RULE = {"metric": "roc_auc", "direction": "higher", "minimum": 0.65, "margin": 0.001}


def rules(**changes: Any) -> dict[str, Any]:
    rule = {key: value for key, value in {**RULE, **changes}.items() if value is not ...}
    return {"rules": [rule]}


def test_rules_of_the_project_are_valid() -> None:
    assert read_rules(ROOT / "ml/gate/gate.yml").rules[0].metric == "roc_auc"


@pytest.mark.parametrize(
    ("data", "where", "message", "fix"),
    [
        (None, "must be a mapping", "must be a mapping with the key `rules`", "write `rules:`"),
        ([], "must be", "must be a mapping", "write `rules:`"),
        ({}, "has no", "has no `rules`", "add `rules`"),
        ({"rules": []}, "rules", "must not be empty", "The model is accepted if"),
        ({"rules": {}}, "rules", "must be a list", "The model is accepted if"),
        ({"rules": ["roc_auc"]}, "rules[0]", "must be an object, not 'roc_auc'", "use the keys metric, direction"),
        ({**rules(), "task": "x"}, "task", "unknown key 'task'", "use one of rules"),
        (rules(minimun=0.7), "rules[0].minimun", "unknown key 'minimun'", "did you mean `minimum`?"),
        (rules(metric=...), "rules[0]", "has no `metric`", "add `metric`: Name of a metric"),
        (rules(metric=7), "rules[0].metric", "must be text, not 7", "Name of a metric"),
        (rules(direction="up"), "rules[0].direction", "must be higher or lower, not 'up'", "Whether a higher"),
        (rules(minimum="0.65"), "rules[0].minimum", "must be a finite number, not '0.65'", "Lowest accepted value"),
        (rules(minimum=True), "rules[0].minimum", "must be a finite number, not True", "Lowest accepted value"),
        (rules(margin=float("nan")), "rules[0].margin", "must be a finite number, not nan", "Minimum improvement"),
        (rules(maximum=0.9), "rules[0].maximum", "does not go with `direction: higher`", "write `minimum`"),
        (rules(direction="lower"), "rules[0].direction", "is better if it is higher", "write `direction: higher`"),
        (rules(minimum=..., margin=...), "rules[0].metric", "has nothing to reach", "add `minimum` or `margin`"),
        ({"rules": [RULE, RULE]}, "rules[1].metric", "already has the rule rules[0]", "one rule for each metric"),
        (rules(slices="origin"), "rules[0].slices", "must be a list, not 'origin'", "Columns on whose values"),
        (rules(slices=[{}]), "rules[0].slices[0]", "has no `column`", "add `column`: Column of the predictions."),
        (rules(slices=[7]), "rules[0].slices[0]", "must be an object, not 7", "use the keys column, values"),
        (rules(slices=[{"column": "a", "value": 1}]), "rules[0].slices[0].value", "unknown key", "`values`?"),
        (rules(slices=[{"column": "a", "values": [None]}]), "rules[0].slices[0].values[0]", "must be text, a n", "one"),
        (rules(slices=[{"column": "a", "values": []}]), "rules[0].slices[0].values", "must not be empty", "Values to"),
        (rules(slices=[{"column": "a", "minimum_rows": 0}]), "rules[0].slices[0].minimum_rows", "at least 1", "Rows"),
        (rules(slices=[{"column": "a", "maximum": 1}]), "rules[0].slices[0].maximum", "does not go with", "`minimum`"),
        (rules(minimum=..., slices=["a"]), "rules[0].slices[0]", "has nothing to reach", "to the slice"),
        (rules(metric="profit", slices=["a"]), "rules[0].slices", "cannot compute profit for", "use one of accuracy"),
        (rules(metric="roc_auk", slices=["a"]), "rules[0].slices", "cannot compute roc_auk", "use roc_auc or another"),
    ],
)
def test_mistake_has_its_key_and_its_fix(data: Any, where: str, message: str, fix: str) -> None:
    (mistake,) = mistakes(data)
    assert str(mistake).startswith(where)
    assert message in mistake.message
    assert fix in mistake.fix


def test_all_mistakes_are_reported_together() -> None:
    assert len(mistakes({"rules": [{"metric": "a"}, {"direction": "higher"}, {**RULE, "minimum": []}]})) == 3


def test_metric_that_only_the_evaluate_step_knows_is_accepted() -> None:
    assert mistakes(rules(metric="profit")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", RULE),
        ("", RULE),
        ("roc_auc.minimum=0.99", {**RULE, "minimum": 0.99}),
        (" roc_auc.minimum = 0.99 , roc_auc.margin=-0.5", {**RULE, "minimum": 0.99, "margin": -0.5}),
        ("roc_auc.margin=none", {**RULE, "margin": None}),
    ],
)
def test_overrides_change_thresholds(text: str, expected: dict[str, Any]) -> None:
    assert overridden(rules(), text) == {"rules": [expected]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.99", r"override '0.99': must have the form METRIC.KEY=VALUE.*\n  fix: write, for example, roc_auc.min"),
        ("roc_auc=0.99", "must have the form"),
        ("roc_auc.direction=lower", "KEY is minimum, maximum, margin"),
        ("auc.minimum=0.99", r"override 'auc.minimum=0.99': no rule for 'auc'\n  fix: use one of roc_auc"),
        ("roc_auc.minimum=high", "'high' is not a number"),
        ("roc_auc.minimum=nan", r"overrides 'roc_auc.minimum=nan': rules\[0\].minimum: must be a finite number"),
        ("roc_auc.maximum=0.9", r"rules\[0\].maximum: does not go with `direction: higher`"),
        ("roc_auc.minimum=none,roc_auc.margin=none", "has nothing to reach"),
    ],
)
def test_overrides_that_do_not_fit_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "gate.yml").write_text(yaml.safe_dump(rules()))
    with pytest.raises(RulesError, match=re.compile(reason, re.DOTALL)):
        read_rules(tmp_path / "gate.yml", text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), ("rules: [", "gate.yml: while"), ("rules: []", "gate.yml: rules: m")],
)
def test_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "gate.yml").write_text(content)
    with pytest.raises(RulesError, match=reason):
        read_rules(tmp_path / "gate.yml")


def test_schema_for_editors_has_every_key() -> None:
    schema = json_schema()
    assert set(schema["$defs"]["Rule"]["properties"]) == {
        "metric", "direction", "minimum", "maximum", "margin", "slices",
    }  # fmt: skip
    assert {"type": "string"} in schema["$defs"]["Rule"]["properties"]["slices"]["items"]["anyOf"]
