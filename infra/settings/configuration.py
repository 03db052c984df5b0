"""Reads a stack's configuration into typed settings, or says in one message everything that is wrong with it."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, get_args

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra import NAMESPACE
from infra.settings.group import fields, nested_group
from infra.settings.stack import CloudSettings, Settings

CLOUD_NAMESPACE = "azure-native"
_Model = TypeVar("_Model", bound=BaseModel)
# What pydantic says of these is meant for those who write the program.
_WORDS = {
    "bool_type": "must be true or false",
    "dict_type": "must be a map with an entry for each name",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "string_type": "must be text",
}
_NAME = re.compile(r"\b[a-z]+(_[a-z]+)+\b")
_OF_MANY = ("list_type", "dict_type", "too_short", "too_long")


class ConfigurationError(pulumi.RunError):
    """The stack's configuration is unusable. The message names every wrong key and its fix."""


@dataclass(frozen=True)
class Configuration:
    """What a stack file says.

    Attributes:
        stack: name of the stack.
        cloud: tenant, subscription and region (`azure-native:`).
        settings: everything else (`azureml-platform:`).
    """

    stack: str
    cloud: CloudSettings
    settings: Settings

    @property
    def owner(self) -> str:
        """What the stack's assets are tagged with: `project/stack`."""
        return f"{NAMESPACE}/{self.stack}"


@dataclass(frozen=True)
class _Problem:
    key: str
    reason: str
    description: str
    fix: str


def read() -> Configuration:
    """Read the running program's configuration.

    Raises:
        ConfigurationError: a key is unknown, missing, of the wrong type or out of range.
    """
    return parse({**get_config_env(), **CONFIG.get()}, pulumi.get_stack())


def parse(values: Mapping[str, str], stack: str) -> Configuration:
    """Validate raw configuration values.

    Args:
        values: full key (`namespace:name`) to value as Pulumi hands it over: text, or JSON for structured values.
        stack: name of the stack, for the messages.

    Raises:
        ConfigurationError: see `read`.
    """
    problems: list[_Problem] = []
    settings = _validate(Settings, NAMESPACE, values, stack, problems)
    known = {field.alias for field in fields(CloudSettings).values()}
    # The provider has many more keys of its own; only these three are the program's.
    cloud_values = {key: value for key, value in values.items() if key.partition(":")[2] in known}
    cloud = _validate(CloudSettings, CLOUD_NAMESPACE, cloud_values, stack, problems)
    if settings is None or cloud is None:
        raise ConfigurationError(_message(problems, stack))
    return Configuration(stack, cloud, settings)


def _validate(
    model: type[_Model], namespace: str, values: Mapping[str, str], stack: str, problems: list[_Problem]
) -> _Model | None:
    prefix = f"{namespace}:"
    raw = {key.removeprefix(prefix): _decode(value) for key, value in values.items() if key.startswith(prefix)}
    try:
        return model.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems += _problems(detail, model, namespace, stack)
        return None


def _decode(value: str) -> Any:
    """Structured values arrive as JSON; `true` and `7` set by `pulumi config set` arrive as text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _problems(detail: ErrorDetails, model: type[BaseModel], namespace: str, stack: str) -> list[_Problem]:
    location = detail["loc"]
    if not location:
        # A rule across groups: one line for each broken one, its key first.
        broken = [line.partition(" ") for line in _reason(detail).splitlines()]
        edit = f"edit it in Pulumi.{stack}.yaml"
        return [_Problem(f"{namespace}:{key}", reason, "", edit) for key, _, reason in broken]
    key = f"{namespace}:{_path(location)}"
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        parent, _ = _lookup(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), parent, n=1, cutoff=0.5)
        hint = f"did you mean {_path((*location[:-1], near[0]))}?" if near else f"allowed here: {', '.join(parent)}"
        return [_Problem(key, f"is not a setting; {hint}", "", f"pulumi config rm --path '{key}' -s {stack}")]
    keys, field = _lookup(model, location)
    is_rule = detail["type"] == "value_error" and bool(keys)
    reason = _reason(detail)
    first, _, rest = reason.partition(" ")
    if is_rule and first in keys:
        # A rule within a group begins with the key that breaks it.
        key, reason, (_, field) = f"{key}.{first}", rest, _lookup(model, (*location, first))
    description = (field.description or "") if field else ""
    if keys and detail["type"] in ("model_type", "model_attributes_type", "dataclass_type"):
        reason = f"must be a group of settings: {', '.join(keys)}"
    if detail["type"] != "missing" and isinstance(detail["input"], str | int | float | bool):
        reason += f" (it is {json.dumps(detail['input'])[:80]})"
    allowed = _allowed(field) if field else "value"
    if keys or field is None or detail["type"] in _OF_MANY:
        fix = f"edit it in Pulumi.{stack}.yaml"
        if field is not None and field.examples and detail["type"] in _OF_MANY:
            entries = field.examples[0] if isinstance(field.examples[0], list) else field.examples[:1]
            fix += f", such as `{field.alias}: [{', '.join(map(str, entries))}]`"
    else:
        example = str(field.examples[0]) if field.examples else f"<{allowed}>"
        fix = f"pulumi config set --path '{key}' {example} -s {stack}"
    return [_Problem(key, reason, description, fix)]


def _reason(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing"
        case "value_error":
            # A rule of `pulumi_azureml` has the names that a program uses.
            return _NAME.sub(lambda name: to_camel(name[0]), detail["msg"].removeprefix("Value error, "))
        case "string_pattern_mismatch":
            return "is not well-formed"
        case "too_short" | "too_long" as kind:
            limit = detail["ctx"]["min_length" if kind == "too_short" else "max_length"]
            entries = "entry" if limit == 1 else "entries"
            return f"must have {'at least' if kind == 'too_short' else 'at most'} {limit} {entries}"
        case "greater_than_equal":
            return f"must be {detail['ctx']['ge']} or more"
        case "less_than_equal":
            return f"must be {detail['ctx']['le']} or less"
        case kind if kind in _WORDS:
            return _WORDS[kind]
        case _:
            return re.sub("^(Input|List|String|Dictionary) should", "must", detail["msg"])


def _allowed(field: FieldInfo) -> str:
    """What a scalar setting, or one entry of a list of them, may be; for the fix's placeholder."""
    leaves = _leaves(field.annotation)
    for option in leaves:
        if isinstance(option, type) and issubclass(option, Enum):
            return "|".join(str(member.value) for member in option)
        if isinstance(option, str):  # of a `Literal`
            return "|".join(leaf for leaf in leaves if isinstance(leaf, str))
        if option is bool:
            return "true|false"
        if option is int:
            return "number"
    return "value"


def _leaves(annotation: Any) -> list[Any]:
    return [leaf for arg in get_args(annotation) for leaf in _leaves(arg)] or [annotation]


def _message(problems: Sequence[_Problem], stack: str) -> str:
    count = f"{len(problems)} settings are" if len(problems) > 1 else "1 setting is"
    lines = [f"{count} wrong in Pulumi.{stack}.yaml; nothing was changed."]
    for problem in problems:
        lines.append(f"  {problem.key} {problem.reason}")
        lines += [f"      {problem.description}"] if problem.description else []
        lines.append(f"      fix: {problem.fix}")
    return "\n".join([*lines, "All settings are described in docs/configuration.md."])


def _path(location: Sequence[str | int]) -> str:
    """A location as `pulumi config set --path` writes it: `compute[0].name`, `models["my.endpoint"].version`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.replace("-", "").replace("_", "").isalnum():
            path += f'["{part}"]'
        else:
            path += f".{part}" if path else part
    return path


def _lookup(group: type[Any], location: Sequence[str | int]) -> tuple[list[str], FieldInfo | None]:
    """The keys allowed at a location, and the field that it names (None inside lists and maps)."""
    current: type[Any] | None = group
    field: FieldInfo | None = None
    for part in location:
        found = None
        if current is not None:
            found = next((f for f in fields(current).values() if f.alias == part), None)
        if found is not None:
            field, current = found, nested_group(found.annotation)
        elif current is None:
            field = None
    return ([str(f.alias) for f in fields(current).values()] if current else []), field
