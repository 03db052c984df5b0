"""Resource types as the pulumi_azure_native SDK defines them: typed arguments, outputs and API version.

Only the SDK module of a type that is asked for is imported: the SDK has hundreds, and each is large.
"""

from __future__ import annotations

import collections.abc
import difflib
import enum
import functools
import importlib
import inspect
import re
import threading
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi._types import (  # the SDK's own reflection has no public name
    input_type_py_to_pulumi_names,
    input_type_types,
    is_input_type,
    is_output_type,
    output_type_types,
    resource_py_to_pulumi_names,
    resource_types,
)

from amlite.pulumi.values import UNKNOWN

_TOKEN = re.compile(r"azure-native:(?P<module>[a-z0-9]+)(?:/v\w+)?:(?P<name>\w+)")
_CONSTANT = re.compile(r":param [^\n]*? (?P<name>\w+):(?P<text>.*?)(?=\n\s*:param|\Z)", re.DOTALL)
_EXPECTED = re.compile(r"Expected value is '(?P<value>[^']+)'")
# The SDK's modules execute at their first use. While one thread is at it, another one would see half of a module.
_loading = threading.Lock()
_API_VERSION = re.compile(r"Uses Azure REST API version (?P<version>\d{4}-\d{2}-\d{2}(?:-preview)?)")


class UnknownTypeError(LookupError):
    """The token names no resource of the installed pulumi_azure_native SDK."""


@dataclass(frozen=True)
class Failure:
    """One property that the SDK's types refuse: `path` as a user writes it, and why, with the fix."""

    path: str
    reason: str


@dataclass(frozen=True)
class Field:
    """One property: its name in the SDK (camelCase), its types (a union's members) and whether it must be given."""

    name: str
    members: tuple[Any, ...]
    required: bool
    constant: str | None = None


@dataclass(frozen=True)
class SdkType:
    """One resource type of the SDK: inputs, outputs (name -> type) and the ARM API version that it speaks."""

    token: str
    args: type
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Any]
    api_version: str


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types that a value may have: unions flattened, without the awaitables and outputs of `pulumi.Input`."""
    if isinstance(annotation, type) and typing.is_typeddict(annotation):
        return ()
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        found: list[Any] = []
        for argument in typing.get_args(annotation):
            found += [member for member in _members(argument) if member not in found]
        return tuple(found)
    if annotation is type(None) or origin in (collections.abc.Awaitable, pulumi.Output):
        return ()
    return (annotation,)


def _constructor(cls: type) -> Callable[..., None]:
    return typing.cast("Callable[..., None]", vars(cls)["__init__"])


def _constants(args: type) -> dict[str, str]:
    """The properties of a polymorphic type that have one legal value, which only its docstring tells."""
    text = inspect.getdoc(_constructor(args)) or ""
    return {
        match["name"]: expected["value"]
        for match in _CONSTANT.finditer(text)
        if (expected := _EXPECTED.search(match["text"]))
    }


@functools.cache
def fields(args: type) -> Mapping[str, Field]:
    """The properties of an SDK argument class, by their camelCase name."""
    signature = inspect.signature(_constructor(args)).parameters
    annotations = input_type_types(args)
    constants = _constants(args)
    return {
        name: Field(
            name=name,
            members=_members(annotations[name]),
            required=signature[python_name].default is inspect.Parameter.empty,
            constant=constants.get(python_name),
        )
        for python_name, name in input_type_py_to_pulumi_names(args).items()
    }


@functools.cache
def load(token: str) -> SdkType:
    """Read a resource type from the SDK; raises `UnknownTypeError` where the SDK has no such resource."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise UnknownTypeError(f"{token} is not an azure-native resource type")
    with _loading:
        try:
            module = importlib.import_module(f"pulumi_azure_native.{match['module']}")
            resource = getattr(module, match["name"])
            # The SDK names them so if an input type has the usual name (`monitor.ActionGroupArgs`).
            args = getattr(module, f"{match['name']}InitArgs", None) or getattr(module, f"{match['name']}Args")
        except (ImportError, AttributeError) as error:
            raise UnknownTypeError(f"pulumi_azure_native has no resource {token}") from error
    outputs = resource_types(resource)
    return SdkType(
        token=token,
        args=args,
        inputs=fields(args),
        outputs={name: outputs[name] for name in resource_py_to_pulumi_names(resource).values() if name in outputs},
        api_version=_api_version(resource),
    )


def _api_version(resource: type) -> str:
    for overload in typing.get_overloads(_constructor(resource)):
        if match := _API_VERSION.search(overload.__doc__ or ""):
            return match["version"]
    raise UnknownTypeError(f"the documentation of {resource.__name__} names no Azure REST API version")


def output_fields(output: Any) -> Mapping[str, Any] | None:
    """The properties (name -> type) of an SDK output type, or None if it is not an object of known shape."""
    for member in _members(output):
        if isinstance(member, type) and is_output_type(member):
            return output_type_types(member)
    return None


def check(inputs: Mapping[str, Any], known: Mapping[str, Field]) -> list[Failure]:
    """Every property that the SDK's types refuse: unknown, missing, of the wrong type or outside its enumeration."""
    return list(_check_object(inputs, known, ""))


def _check_object(value: Mapping[str, Any], known: Mapping[str, Field], path: str) -> Iterator[Failure]:
    for name in value:
        if name not in known:
            yield Failure(_join(path, name), f"unknown property '{name}'" + _suggestion(name, known))
    for name, field in known.items():
        if name not in value:
            if field.required:
                yield Failure(_join(path, name), f"missing required property '{name}'")
        elif field.constant is not None and value[name] not in (field.constant, UNKNOWN):
            yield Failure(_join(path, name), f"must be '{field.constant}', not {value[name]!r}")
        else:
            yield from _check_value(value[name], field.members, _join(path, name))


def _check_value(value: Any, members: tuple[Any, ...], path: str) -> Iterator[Failure]:
    if value is UNKNOWN or Any in members:
        return
    if isinstance(value, dict):
        yield from _check_mapping(value, members, path)
        return
    if isinstance(value, list):
        item = next((_first_argument(member) for member in members if _is_list(member)), None)
        if item is None:
            yield Failure(path, f"must be {_describe(members)}, not a list")
        else:
            for index, entry in enumerate(value):
                yield from _check_value(entry, item, f"{path}[{index}]")
        return
    choices = [member for member in members if isinstance(member, type) and issubclass(member, enum.Enum)]
    if choices and isinstance(value, str):
        allowed = [str(choice.value) for member in choices for choice in member]
        # Azure compares its enumerations without regard to case.
        if value.lower() not in (choice.lower() for choice in allowed):
            listed = ", ".join(f"'{choice}'" for choice in allowed)
            yield Failure(path, f"must be one of {listed}, not '{value}'" + _suggestion(value, allowed))
        return
    if not any(_is_scalar(value, member) for member in members):
        yield Failure(path, f"must be {_describe(members)}, not {value!r}")


def _check_mapping(value: dict[str, Any], members: tuple[Any, ...], path: str) -> Iterator[Failure]:
    shapes = [fields(member) for member in members if isinstance(member, type) and is_input_type(member)]
    # A polymorphic property takes one of several objects, distinguished by a constant.
    matching = [shape for shape in shapes if all(_agrees(value, field) for field in shape.values())]
    if matching:
        yield from _check_object(value, matching[0], path)
    elif shapes:
        for name in {field.name for shape in shapes for field in shape.values() if field.constant is not None}:
            allowed = ", ".join(f"'{shape[name].constant}'" for shape in shapes if name in shape)
            yield Failure(_join(path, name), f"must be one of {allowed}, not {value.get(name)!r}")
    elif (item := next((_second_argument(member) for member in members if _is_mapping(member)), None)) is not None:
        for key, entry in value.items():
            yield from _check_value(entry, item, _join(path, key))
    else:
        yield Failure(path, f"must be {_describe(members)}, not an object")


def _agrees(value: Mapping[str, Any], field: Field) -> bool:
    return field.constant is None or value.get(field.name) in (field.constant, UNKNOWN)


def _is_list(member: Any) -> bool:
    return typing.get_origin(member) in (list, collections.abc.Sequence)


def _is_mapping(member: Any) -> bool:
    return typing.get_origin(member) in (dict, collections.abc.Mapping)


def _first_argument(member: Any) -> tuple[Any, ...]:
    return _members(typing.get_args(member)[0])


def _second_argument(member: Any) -> tuple[Any, ...]:
    return _members(typing.get_args(member)[1])


def _is_scalar(value: Any, member: Any) -> bool:
    if member is bool:
        return isinstance(value, bool)
    if member in (int, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return member is str and isinstance(value, str)


def _describe(members: tuple[Any, ...]) -> str:
    words = {str: "a string", bool: "true or false", int: "a whole number", float: "a number"}
    named = [
        words.get(member) or ("a list" if _is_list(member) else "an object")
        for member in members
        if not (isinstance(member, type) and issubclass(member, enum.Enum) and str in members)
    ]
    return " or ".join(dict.fromkeys(named))


def _suggestion(name: str, candidates: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(candidates), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def keep_known(value: Any, members: tuple[Any, ...]) -> Any:
    """The value without the properties that the SDK's argument types do not have (the read-only ones of an answer)."""
    if isinstance(value, Mapping):
        shapes = [fields(member) for member in members if isinstance(member, type) and is_input_type(member)]
        shape = next((shape for shape in shapes if all(_agrees(value, field) for field in shape.values())), None)
        if shape is not None:
            return {name: keep_known(item, shape[name].members) for name, item in value.items() if name in shape}
        return dict(value)
    if isinstance(value, list):
        item = next((_first_argument(member) for member in members if _is_list(member)), ())
        return [keep_known(entry, item) for entry in value]
    return value
