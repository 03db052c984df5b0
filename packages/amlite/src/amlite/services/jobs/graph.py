"""The graph of a pipeline job: the dependencies of each node and the sources of its inputs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from amlite.core.wire import Json

_BINDING = re.compile(r"\$\{\{\s*parent\.(inputs|outputs|jobs)\.([\w.-]+?)\s*\}\}")
_STEP_OUTPUT = re.compile(r"([\w-]+)\.outputs\.([\w-]+)")
_STEP_INPUT = re.compile(r"([\w-]+)\.inputs\.([\w-]+)")
_MODES = {"ro_mount": "ReadOnlyMount", "rw_mount": "ReadWriteMount", "download": "Download", "direct": "Direct",
          "upload": "Upload", "eval_mount": "EvalMount", "eval_download": "EvalDownload"}  # fmt: skip
# What of a node is bound by rules of its own.
_WIRED = frozenset({"type", "inputs", "outputs", "component", "componentId"})
PATH_TYPES = ("uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model", "triton_model", "safe_model")
CONTROL_TYPES = ("boolean", "integer", "number", "string")
"""The types of control outputs: values, which other nodes take as literals and conditions decide by."""
FILE_TYPES = ("uri_file", *CONTROL_TYPES)
"""The types of outputs that are one file. A program may write the value of a control output to its file."""


class GraphError(Exception):
    """The pipeline or one of its nodes cannot run. The message names node and input."""


@dataclass(frozen=True)
class Literal:
    """A value given as text."""

    value: str


@dataclass(frozen=True)
class Data:
    """A file or folder: a data URI or an asset, and the type it is consumed as."""

    uri: str
    type: str


@dataclass(frozen=True)
class StepOutput:
    """An output of another node of the same pipeline."""

    step: str
    output: str


@dataclass(frozen=True)
class JobOutput:
    """An output of a job outside this pipeline, passed to a pipeline that is itself a step of another."""

    job: str
    output: str
    type: str


Given = Literal | Data | JobOutput
Input = Given | StepOutput


@dataclass(frozen=True)
class Node:
    """One node: its inputs by name, and the names of the pipeline's outputs that its own outputs are bound to.

    `waits` are the nodes that its control flow reads: a condition, or a loop's items.
    """

    name: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, str] = field(default_factory=dict)
    waits: Collection[str] = ()

    @property
    def needs(self) -> set[str]:
        """The nodes that must end before this one starts."""
        return {value.step for value in self.inputs.values() if isinstance(value, StepOutput)} | set(self.waits)


def in_models(settings: Json | None) -> Json:
    """Return a node's group of settings by the names of the service's models; nodes have them in snake case."""
    return {re.sub(r"_(\w)", lambda found: found[1].upper(), name): value
            for name, value in (settings or {}).items()}  # fmt: skip


def mode(given: object) -> str:
    """Return the delivery mode of an input or output as the service's models have it, or an empty text."""
    text = str(given.get("mode") or "") if isinstance(given, Mapping) else ""
    return _MODES.get(text.lower(), text)


def parse_input(name: str, given: Json) -> Given:
    """Read one input as the service's models write it (camel case in jobs, snake case in nodes)."""
    if "step" in given:
        return JobOutput(given["step"], given["output"], _kind(given))
    return parse_value(name, given)


def _kind(given: Json) -> str:
    return str(given.get("jobInputType") or given.get("job_input_type") or given.get("type") or "literal").lower()


def parse_value(name: str, given: Json) -> Literal | Data:
    """Read one input that is no output of another job. Raises GraphError."""
    kind = _kind(given)
    if kind in PATH_TYPES:
        uri = given.get("uri") or given.get("path") or given.get("value")
        if not uri:
            raise GraphError(f"input '{name}' of type {kind} has no uri")
        return Data(str(uri), kind)
    value = given.get("value")
    if value is None:
        raise GraphError(f"input '{name}' has no value")
    return Literal(text(value))


def parse(
    jobs: Mapping[str, Json],
    inputs: Mapping[str, Given],
    left_out: Collection[str] = (),
    waits: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Node]:
    """Return a pipeline's nodes by name, in an order in which they could run.

    `jobs` is the job's `jobs` property; `inputs` are the pipeline's own, and `left_out` are its optional inputs without
    a value: an input that is bound to one of them has no value either. `waits` are the nodes for which each waits
    beside those of its inputs. Raises GraphError for a binding to nothing and for nodes that wait for each other.
    """
    nodes = {
        name: _node(name, spec, jobs, inputs, left_out, (waits or {}).get(name, ())) for name, spec in jobs.items()
    }
    try:
        order = list(TopologicalSorter({name: node.needs for name, node in nodes.items()}).static_order())
    except CycleError as error:
        raise GraphError(f"the nodes {' -> '.join(error.args[1])} wait for each other") from error
    return {name: nodes[name] for name in order}


def _node(
    name: str,
    spec: Json,
    jobs: Mapping[str, Json],
    inputs: Mapping[str, Given],
    left_out: Collection[str],
    waits: Collection[str],
) -> Node:
    bound: dict[str, Input] = {}
    for key, given in (spec.get("inputs") or {}).items():
        try:
            wrapped = _followed(given, jobs)
        except GraphError as error:
            raise GraphError(f"node '{name}', input '{key}': {error}") from error
        if (wrapped.get("value") is None and not wrapped.get("uri")) or _is_bound(wrapped, left_out):
            continue
        try:
            bound[key] = take(key, wrapped, jobs, inputs)
        except GraphError as error:
            raise GraphError(f"node '{name}', input '{key}': {error}") from error
    outputs = {}
    for key, given in (spec.get("outputs") or {}).items():
        value = given.get("value") if isinstance(given, dict) else given
        found = _BINDING.fullmatch(str(value)) if isinstance(value, str) else None
        if found and found[1] == "outputs":
            outputs[key] = found[2]
    return Node(name, bound, outputs, waits)


def _followed(given: Any, jobs: Mapping[str, Json]) -> Json:
    """Return an input as it is written, or the input of another node to which it is bound. Raises GraphError.

    Source: "SDK and CLI v2 expressions", `${{parent.jobs.<step-name>.inputs.<input-name>}}`.
    """
    wrapped: Json = given if isinstance(given, dict) else {"value": given}
    seen: set[str] = set()
    while (found := _BINDING.fullmatch(_written(wrapped))) and found[1] == "jobs":
        port = _STEP_INPUT.fullmatch(found[2])
        if port is None:
            break
        if port[1] not in jobs:
            raise GraphError(f"'{found[0]}' names no node of the pipeline; there are: {_names(jobs)}")
        inputs = jobs[port[1]].get("inputs") or {}
        if port[2] not in inputs or found[2] in seen:
            raise GraphError(f"'{found[0]}' names an input to which its node gives no value")
        seen.add(found[2])
        value = inputs[port[2]]
        wrapped = value if isinstance(value, dict) else {"value": value}
    return wrapped


def _written(given: Json) -> str:
    written = given.get("value") if given.get("value") is not None else given.get("uri")
    return written if isinstance(written, str) else ""


def take(name: str, given: Json, jobs: Mapping[str, Json], inputs: Mapping[str, Given]) -> Input:
    """Read one input of a node, which may be bound to an input of the pipeline or another node. Raises GraphError."""
    value = _bind(given, jobs, inputs)
    return value if value is not None else parse_input(name, given)


def _is_bound(given: Json, left_out: Collection[str]) -> bool:
    found = _BINDING.fullmatch(str(given.get("value") or given.get("uri")))
    return found is not None and found[1] == "inputs" and found[2] in left_out


def _bind(given: Json, jobs: Mapping[str, Json], inputs: Mapping[str, Given]) -> Input | None:
    """Return the target of a binding, or None if `given` contains none."""
    written = _written(given)
    if "${{" not in written:
        return None
    found = _BINDING.fullmatch(written)
    if found is None:
        return Literal(_BINDING.sub(lambda part: _literal(part, inputs), written))
    if found[1] == "inputs":
        if found[2] not in inputs:
            raise GraphError(f"'{written}' names no input of the pipeline; there are: {_names(inputs)}")
        return inputs[found[2]]
    step = _STEP_OUTPUT.fullmatch(found[2])
    if found[1] != "jobs" or step is None:
        raise GraphError(f"'{written}' is not a binding that an input can have")
    if step[1] not in jobs:
        raise GraphError(f"'{written}' names no node of the pipeline; there are: {_names(jobs)}")
    return StepOutput(step[1], step[2])


def _literal(part: re.Match[str], inputs: Mapping[str, Given]) -> str:
    value = inputs.get(part[2]) if part[1] == "inputs" else None
    if not isinstance(value, Literal):
        raise GraphError(f"'{part[0]}' inside a text must name a literal input of the pipeline")
    return value.value


def settled(spec: Json, inputs: Mapping[str, Given], left_out: Collection[str]) -> Json:
    """Return a node with the values of the pipeline's inputs in its settings, such as its compute and its nodes.

    A setting that is bound to an input without a value has none either. Other bindings stay.
    """
    return {key: value if key in _WIRED else _settled(value, inputs) for key, value in spec.items()
            if key in _WIRED or not _names_left_out(value, left_out)}  # fmt: skip


def _settled(value: Any, inputs: Mapping[str, Given]) -> Any:
    if isinstance(value, dict):
        return {key: _settled(each, inputs) for key, each in value.items()}
    if isinstance(value, list):
        return [_settled(each, inputs) for each in value]
    return _BINDING.sub(lambda part: _value(part, inputs), value) if isinstance(value, str) else value


def _value(part: re.Match[str], inputs: Mapping[str, Given]) -> str:
    value = inputs.get(part[2]) if part[1] == "inputs" else None
    return value.value if isinstance(value, Literal) else part[0]


def _names_left_out(value: Any, left_out: Collection[str]) -> bool:
    found = _BINDING.fullmatch(value) if isinstance(value, str) else None
    return found is not None and found[1] == "inputs" and found[2] in left_out


def port(declaration: Json, default: str = "uri_folder") -> str:
    """Return the type of a component's input or output."""
    return "uri_folder" if takes_any_path(declaration) else str(declaration.get("type", default)).lower()


def takes_any_path(declaration: Json) -> bool:
    """Whether an input or output has the type `path`, which azure-ai-ml keeps from before there were others."""
    return str(declaration.get("type")).lower() == "path"


def check_literal(name: str, value: str, declared: Json) -> None:
    """Check a literal against the type, range and choices of the component's input. Raises GraphError."""
    kind = port(declared, "string")
    if kind in PATH_TYPES:
        raise GraphError(f"input '{name}' must be a path of type {kind}, got the literal '{value}'")
    if kind == "boolean" and value.lower() not in ("true", "false"):
        raise GraphError(f"input '{name}' must be true or false, got '{value}'")
    if kind in ("integer", "number"):
        try:
            number = int(value) if kind == "integer" else float(value)
        except ValueError:
            wanted = "an integer" if kind == "integer" else "a number"
            raise GraphError(f"input '{name}' must be {wanted}, got '{value}'") from None
        low, high = declared.get("min"), declared.get("max")
        if (low is not None and number < float(low)) or (high is not None and number > float(high)):
            raise GraphError(f"input '{name}' must be between {low} and {high}, got {value}")
    choices = declared.get("enum")
    if choices and value not in [text(choice) for choice in choices]:
        raise GraphError(f"input '{name}' must be one of {', '.join(map(text, choices))}, got '{value}'")


def text(value: Any) -> str:
    """Return a literal as text. Booleans have Python's form, as in azure-ai-ml."""
    return str(value)


def _names(found: Mapping[str, Any]) -> str:
    return ", ".join(sorted(found)) or "none"
