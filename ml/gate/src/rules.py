"""The rules in `gate.yml`: their form, their checks, and the overrides of one run.

The step reads them, and the Pulumi program checks every `gate.yml` with the same code in a preview. This module
therefore imports nothing else of this folder.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

Key = tuple[str | int, ...]

CLASSIFICATION = {
    "accuracy": "higher",
    "brier": "lower",
    "f1": "higher",
    "log_loss": "lower",
    "pr_auc": "higher",
    "precision": "higher",
    "recall": "higher",
    "roc_auc": "higher",
}
REGRESSION = {"mae": "lower", "mape": "lower", "max_error": "lower", "r2": "higher", "rmse": "lower"}
MEASURED = {**CLASSIFICATION, **REGRESSION}
"""Metrics that the gate computes for a slice, with the better direction. `metrics.py` has a function for each."""

NO_OVERRIDES = "none"
_OVERRIDABLE = ("minimum", "maximum", "margin")


@dataclass(frozen=True)
class Mistake:
    """A mistake in gate.yml: the path of the key, what is wrong, and the fix."""

    keys: Key
    message: str
    fix: str

    @property
    def problem(self) -> str:
        """What is wrong, after the key as in `rules[0].minimum`."""
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.keys).lstrip(".")
        return f"{where}: {self.message}" if where else self.message

    def __str__(self) -> str:
        return f"{self.problem}\n  fix: {self.fix}"


class RulesError(Exception):
    """The rules cannot be used. The message names the file, the key and the fix."""


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_FORBID = ConfigDict(extra="forbid")


def _named(value: Any) -> Any:
    """Read a slice that is only the name of a column."""
    return {"column": value} if isinstance(value, str) else value


class Slice(BaseModel):
    """A part of the hold-out on which the metric is checked too: the rows with one value of a column."""

    model_config = _FORBID

    column: Annotated[str, Field(min_length=1)] = Field(description="Column of the predictions.")
    values: list[str | bool | int | float] | None = Field(
        default=None, min_length=1, description="Values to check. Default: each value that the column has."
    )
    minimum_rows: int = Field(
        default=1, ge=1, strict=True,
        description="Rows that a value needs. With fewer rows, a value in `values` fails, and another is not checked.",
    )  # fmt: skip
    minimum: Number | None = Field(default=None, description="Replaces the `minimum` of the rule for this slice.")
    maximum: Number | None = Field(default=None, description="Replaces the `maximum` of the rule for this slice.")
    margin: Number | None = Field(
        default=None, description="Margin for this slice. Default: the slice is not compared with the registered model."
    )


class Rule(BaseModel):
    """What one metric must reach on the hold-out."""

    model_config = _FORBID

    metric: Annotated[str, Field(min_length=1)] = Field(
        description="Name of a metric that the evaluation run logged to MLflow."
    )
    direction: Literal["higher", "lower"] = Field(description="Whether a higher or a lower value is better.")
    minimum: Number | None = Field(default=None, description="Lowest accepted value. Only with the direction `higher`.")
    maximum: Number | None = Field(default=None, description="Highest accepted value. Only with the direction `lower`.")
    margin: Number | None = Field(
        default=None,
        description="Minimum improvement over the registered model on the same rows. 0 accepts an equal model, and a "
        "negative margin a slightly worse one. Default: no comparison.",
    )
    slices: list[Annotated[Slice, BeforeValidator(_named)]] = Field(
        default_factory=list,
        description="Columns on whose values the metric must hold too: names of columns, or objects.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse thresholds that contradict the direction, and rules or slices that check nothing."""
        if MEASURED.get(self.metric, self.direction) != self.direction:
            better = MEASURED[self.metric]
            raise _broken("direction", f"{self.metric} is better if it is {better}", f"write `direction: {better}`")
        wrong, right = ("maximum", "minimum") if self.direction == "higher" else ("minimum", "maximum")
        if getattr(self, wrong) is not None:
            raise _broken(wrong, f"does not go with `direction: {self.direction}`", f"write `{right}`")
        if getattr(self, right) is None and self.margin is None:
            raise _broken("metric", f"{self.metric} has nothing to reach", f"add `{right}` or `margin`")
        if self.slices and self.metric not in MEASURED:
            raise _broken("slices", *_not_measured(self.metric))
        for number, part in enumerate(self.slices):
            key = f"slices[{number}]"
            if getattr(part, wrong) is not None:
                raise _broken(f"{key}.{wrong}", f"does not go with `direction: {self.direction}`", f"write `{right}`")
            if getattr(part, right) is None and getattr(self, right) is None and part.margin is None:
                raise _broken(key, "has nothing to reach", f"add `{right}` or `margin` to the slice")
        return self

    @property
    def threshold(self) -> float | None:
        """The minimum or maximum."""
        return self.minimum if self.direction == "higher" else self.maximum

    def threshold_of(self, part: Slice) -> float | None:
        """Return the minimum or maximum for a slice."""
        own = part.minimum if self.direction == "higher" else part.maximum
        return self.threshold if own is None else own


class Rules(BaseModel):
    """The content of gate.yml."""

    model_config = ConfigDict(extra="forbid", title="Gate rules")

    schema_: str | None = Field(default=None, alias="$schema", description="Schema for editors.")
    rules: list[Rule] = Field(min_length=1, description="The model is accepted if every rule holds.")

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: dict[str, int] = {}
        for number, rule in enumerate(self.rules):
            if rule.metric in seen:
                message = f"{rule.metric} already has the rule rules[{seen[rule.metric]}]"
                raise _broken(f"rules[{number}].metric", message, "write one rule for each metric")
            seen[rule.metric] = number
        return self


def read_rules(file: Path, overrides: str = NO_OVERRIDES) -> Rules:
    """Return the rules in a file, with the overrides of this run.

    Raises:
        RulesError: The file is not valid, or an override does not fit it.
    """
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        message = f"{file.name}: {' '.join(str(error).split())}"
        raise RulesError(message) from error
    if found := mistakes(data):
        raise RulesError("\n".join(f"{file.name}: {each}" for each in found))
    changed = overridden(data, overrides)
    if found := mistakes(changed):
        message = "\n".join(f"overrides {overrides!r}: {each}" for each in found)
        raise RulesError(message)
    return Rules.model_validate(changed)


def mistakes(data: Any) -> list[Mistake]:
    """Return every mistake in the content of a gate.yml."""
    try:
        Rules.model_validate(data)
    except ValidationError as error:
        # A value of a union has one error for each type that it may have.
        return list(dict.fromkeys(_mistake(detail) for detail in error.errors(include_url=False)))
    return []


def overridden(data: Mapping[str, Any], overrides: str) -> dict[str, Any]:
    """Return valid rules with other thresholds: `METRIC.minimum=0.7, METRIC.margin=none`, or `none` for no change.

    Raises:
        RulesError: An override has another form, or names a metric without a rule.
    """
    rules = [dict(rule) for rule in data["rules"]]
    by_metric = {str(rule["metric"]): rule for rule in rules}
    texts = [] if overrides.strip() in ("", NO_OVERRIDES) else overrides.split(",")
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        metric, _, key = name.rpartition(".")
        if not sign or key not in _OVERRIDABLE:
            message = (
                f"override {text.strip()!r}: must have the form METRIC.KEY=VALUE, where KEY is "
                f"{', '.join(_OVERRIDABLE)}\n  fix: write, for example, {next(iter(by_metric))}.{_OVERRIDABLE[0]}=0.7"
            )
            raise RulesError(message)
        if metric not in by_metric:
            message = f"override {text.strip()!r}: no rule for {metric!r}\n  fix: use one of {', '.join(by_metric)}"
            raise RulesError(message)
        try:
            by_metric[metric][key] = None if value == NO_OVERRIDES else float(value)
        except ValueError as error:
            message = f"override {text.strip()!r}: {value!r} is not a number\n  fix: write a number, or none"
            raise RulesError(message) from error
    return {**data, "rules": rules}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of gate.yml, for editors. `release.documentation` writes it to docs/gate.schema.json."""
    schema = Rules.model_json_schema()
    entry = schema["$defs"]["Rule"]["properties"]["slices"]
    entry["items"] = {"anyOf": [{"type": "string"}, entry["items"]]}
    return schema


def _broken(key: str, message: str, fix: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{message}", {"message": message, "key": key, "fix": fix})


def _not_measured(metric: str) -> tuple[str, str]:
    near = difflib.get_close_matches(metric, MEASURED, n=1)
    known = f"one of {', '.join(MEASURED)}"
    return (
        f"the gate cannot compute {metric} for a slice",
        f"use {near[0]} or another metric of docs/gate.md" if near else f"use {known}, or remove `slices`",
    )


def _mistake(detail: ErrorDetails) -> Mistake:
    keys: Key = tuple(detail["loc"])
    kind, context = detail["type"], detail.get("ctx") or {}
    if kind == "rule":
        return Mistake((*keys, *_parsed(str(context["key"]))), str(context["message"]), str(context["fix"]))
    if kind == "extra_forbidden":
        known = _known(keys[:-1])
        near = difflib.get_close_matches(str(keys[-1]), known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"remove it, or use one of {', '.join(known)}"
        return Mistake(keys, f"unknown key '{keys[-1]}'", hint)
    if kind == "missing":
        return Mistake(keys[:-1], f"has no `{keys[-1]}`", f"add `{keys[-1]}`: {_description(keys)}")
    if kind in ("model_type", "model_attributes_type"):
        if not keys:
            return Mistake(keys, "must be a mapping with the key `rules`", "write `rules:` and a list of rules")
        return Mistake(
            keys, f"must be an object, not {_shown(detail['input'])}", f"use the keys {', '.join(_known(keys))}"
        )
    if "values" in keys[:-2]:
        return Mistake(
            keys[:-1], f"must be text, a number, true or false, not {_shown(detail['input'])}", "write one value"
        )
    return Mistake(keys, f"{_reason(kind, context, detail['msg'])}, not {_shown(detail['input'])}", _description(keys))


def _reason(kind: str, context: Mapping[str, Any], message: str) -> str:
    match kind:
        case "float_type" | "float_parsing" | "finite_number":
            return "must be a finite number"
        case "int_type" | "int_from_float":
            return "must be a whole number"
        case "string_type":
            return "must be text"
        case "list_type":
            return "must be a list"
        case "literal_error":
            return f"must be {str(context['expected']).replace(chr(39), '')}"
        case "too_short" | "string_too_short":
            return "must not be empty"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
    return message[:1].lower() + message[1:]


def _parsed(key: str) -> Key:
    """Return the path of a key such as `slices[1].minimum`."""
    parts = key.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _model(keys: Key) -> type[BaseModel]:
    named = [key for key in keys if isinstance(key, str)]
    return Slice if "slices" in named else Rule if "rules" in named else Rules


def _known(keys: Key) -> list[str]:
    return [field.alias or name for name, field in _model(keys).model_fields.items() if not field.alias]


def _description(keys: Key) -> str:
    """Return the description of the key, in its own model."""
    last = next(key for key in reversed(keys) if isinstance(key, str))
    parent = _model(keys[: keys.index(last)])
    return str(parent.model_fields[last].description)


def _shown(value: Any) -> str:
    return repr(value)[:60]
