"""Reads a stack's configuration into typed settings, or reports all mistakes in one message."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_args

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra import NAMESPACE
from infra.settings.group import fields, nested_group
from infra.settings.spelling import retyped, takes_text, unfit_values, with_text
from infra.settings.stack import CloudSettings, Settings

CLOUD_NAMESPACE = "azure-native"
# The group of settings whose values can be secrets. Those of the others are in plain text in the state and in Azure.
_TAKES_SECRETS = "monitoring"
_Model = TypeVar("_Model", bound=BaseModel)
# Replacements for messages of pydantic that are written for programmers.
_REASONS = {
    "bool_type": "must be true or false",
    "dict_type": "must be a map, with names as keys",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "string_type": "must be text",
}
# Names in backticks are Azure's own.
_SNAKE_CASE = re.compile(r"(?<!`)\b[a-z]+(_[a-z]+)+\b")
_PLAIN = "store it in the key vault, and let the code read it with its identity"
_COLLECTION_ERRORS = ("list_type", "dict_type", "too_short", "too_long")


class ConfigurationError(pulumi.RunError):
    """The stack's configuration has mistakes. The message has each key and its fix. Nothing was changed."""


@dataclass(frozen=True)
class Configuration:
    """The configuration of a stack.

    Attributes:
        stack: Name of the stack.
        cloud: Tenant, subscription and region (`azure-native:`).
        settings: All other settings (`azureml-platform:`).
    """

    stack: str
    cloud: CloudSettings
    settings: Settings

    @property
    def owner(self) -> str:
        """The owner tag of the stack's assets: `project/stack`, with the stack's name as it is in resource names."""
        return f"{NAMESPACE}/{self.settings.naming.stack or self.stack}"


@dataclass(frozen=True)
class _Problem:
    key: str
    reason: str
    description: str
    fix: str


def read() -> Configuration:
    """Read the configuration of the stack that the program runs for.

    Raises:
        ConfigurationError: A key is unknown or missing, or a value has a wrong type or is out of range.
    """
    stack = pulumi.get_stack()
    values = _values(Settings, NAMESPACE, stack)
    return parse(values, stack, frozenset(filter(is_config_secret, values)))


def _values(group: type[BaseModel], namespace: str, stack: str) -> dict[str, str]:
    """Return the raw values. Text without quotes that Pulumi changes is as the stack file has it, with a warning."""
    values = {**get_config_env(), **CONFIG.get()}
    name = f"Pulumi.{stack}.yaml"
    for location, text in retyped(Path(pulumi.get_root_directory() or ".") / name, namespace):
        # An entry of a list or a map has no field of its own.
        field = _lookup(group, location)[1] or _lookup(group, location[:-1])[1]
        key = f"{namespace}:{location[0]}"
        if key in values and takes_text(field):
            values[key] = with_text(values[key], location[1:], text)
            pulumi.log.warn(
                f"{namespace}:{_path(location)} is {text}, as {name} has it, and not what Pulumi reads without quotes. "
                f"Write '{text}', with quotes, before Pulumi writes the file: it would write what it reads"
            )
    return values


def read_group(group: type[_Model], namespace: str) -> _Model:
    """Read the settings of a program that builds on the platform: the keys of a namespace of its own.

    Raises:
        ConfigurationError: See `read`.
    """
    problems: list[_Problem] = []
    stack = pulumi.get_stack()
    values = _values(group, namespace, stack)
    found = _validate(group, namespace, values, stack, problems, frozenset(filter(is_config_secret, values)))
    if found is None:
        raise ConfigurationError(_message(problems, stack))
    return found


def parse(values: Mapping[str, str], stack: str, secrets: AbstractSet[str] = frozenset()) -> Configuration:
    """Validate raw configuration values.

    Args:
        values: Values as Pulumi passes them (text, or JSON for structured values), by full key (`namespace:name`).
        stack: Name of the stack, for the messages.
        secrets: Full keys with an encrypted value. No message contains their values.

    Raises:
        ConfigurationError: See `read`.
    """
    problems = [
        _Problem(key, "has an encrypted value, which would be in plain text in the state and in Azure", "", _PLAIN)
        for key in sorted(secrets)
        if key.startswith(f"{NAMESPACE}:") and key != f"{NAMESPACE}:{_TAKES_SECRETS}"
    ]
    settings = _validate(Settings, NAMESPACE, values, stack, problems, secrets)
    known = {field.alias for field in fields(CloudSettings).values()}
    # The provider azure-native has many more keys. The program reads these three only.
    cloud_values = {key: value for key, value in values.items() if key.partition(":")[2] in known}
    cloud = _validate(CloudSettings, CLOUD_NAMESPACE, cloud_values, stack, problems, secrets)
    if settings is None or cloud is None or problems:
        raise ConfigurationError(_message(problems, stack))
    return Configuration(stack, cloud, settings)


def _validate(
    model: type[_Model],
    namespace: str,
    values: Mapping[str, str],
    stack: str,
    problems: list[_Problem],
    secrets: AbstractSet[str],
) -> _Model | None:
    prefix = f"{namespace}:"
    raw = {key.removeprefix(prefix): _decode(value) for key, value in values.items() if key.startswith(prefix)}
    unfit = [(location, reason) for name, value in raw.items() for location, reason in unfit_values(value, (name,))]
    if unfit:
        edit = f"edit it in Pulumi.{stack}.yaml"
        problems += [_Problem(f"{namespace}:{_path(location)}", reason, "", edit) for location, reason in unfit]
        return None
    try:
        return model.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            is_secret = bool(detail["loc"]) and f"{prefix}{detail['loc'][0]}" in secrets
            problems += _problems(detail, model, namespace, stack, is_secret=is_secret)
        return None


def _decode(value: str) -> Any:
    """Decode a value. Structured values are JSON. `true` or `7` from `pulumi config set` are text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _problems(
    detail: ErrorDetails, model: type[BaseModel], namespace: str, stack: str, *, is_secret: bool
) -> list[_Problem]:
    location = detail["loc"]
    if not location:
        # A rule across groups. Each line starts with a key.
        broken = [line.partition(" ") for line in _reason(detail).splitlines()]
        edit = f"edit it in Pulumi.{stack}.yaml"
        return [_Problem(f"{namespace}:{key}", reason, "", edit) for key, _, reason in broken]
    key = f"{namespace}:{_path(location)}"
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        parent, _ = _lookup(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), parent, n=1, cutoff=0.5)
        hint = f"did you mean {_path((*location[:-1], near[0]))}?" if near else f"allowed here: {', '.join(parent)}"
        rename = f"rename it in Pulumi.{stack}.yaml, or " if near else ""
        return [_Problem(key, f"is not a setting; {hint}", "", f"{rename}pulumi config rm --path '{key}' -s {stack}")]
    keys, field = _lookup(model, location)
    is_rule = detail["type"] == "value_error" and bool(keys)
    reason = _reason(detail)
    first, _, rest = reason.partition(" ")
    if is_rule and first in keys:
        # The message of a rule within a group starts with a key.
        key, reason, (_, field) = f"{key}.{first}", rest, _lookup(model, (*location, first))
    description = (field.description or "") if field else ""
    if keys and detail["type"] in ("model_type", "model_attributes_type", "dataclass_type"):
        reason = f"must be a group of settings: {', '.join(keys)}"
    if not is_secret and detail["type"] != "missing" and isinstance(detail["input"], str | int | float | bool):
        reason += f" (it is {json.dumps(detail['input'])[:80]})"
    allowed = _allowed(field) if field else "value"
    if keys or field is None or detail["type"] in _COLLECTION_ERRORS:
        fix = f"edit it in Pulumi.{stack}.yaml"
        if field is not None and field.examples and detail["type"] in _COLLECTION_ERRORS:
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
            # Rules of `pulumi_azureml` name the arguments in snake_case.
            return _SNAKE_CASE.sub(lambda name: to_camel(name[0]), detail["msg"].removeprefix("Value error, "))
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
        case kind if kind in _REASONS:
            return _REASONS[kind]
        case _:
            return re.sub("^(Input|List|String|Dictionary) should", "must", detail["msg"])


def _allowed(field: FieldInfo) -> str:
    """Return the allowed values of a scalar setting, or of an entry of a list, for the placeholder in the fix."""
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
    lines = [f"{count} wrong in Pulumi.{stack}.yaml. Nothing was changed."]
    for problem in problems:
        lines.append(f"  {problem.key} {problem.reason}")
        lines += [f"      {problem.description}"] if problem.description else []
        lines.append(f"      fix: {problem.fix}")
    return "\n".join([*lines, "docs/configuration.md describes all settings."])


def _path(location: Sequence[str | int]) -> str:
    """Return a location as `pulumi config set --path` takes it: `compute[0].name`, `models["my.endpoint"].version`."""
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
    """Return the keys that are allowed at a location, and its field (None inside lists and maps)."""
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
