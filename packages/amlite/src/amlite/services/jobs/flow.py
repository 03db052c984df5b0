"""The control flow of a pipeline, read from its nodes `if_else`, `do_while` and `parallel_for`.

Source: the builders `condition_node`, `do_while` and `parallel_for` of azure-ai-ml, where all three are previews.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from amlite.core import bodies
from amlite.core.wire import Json
from amlite.services.jobs import graph
from amlite.services.jobs.graph import Given, GraphError, Input, JobOutput, Literal, StepOutput

TYPES = ("if_else", "do_while", "parallel_for")
_JOB = re.compile(r"\$\{\{\s*parent\.jobs\.([\w-]+)\s*\}\}")
_PORT = re.compile(r"\$\{\{\s*parent\.jobs\.([\w-]+)\.(inputs|outputs)\.([\w-]+)\s*\}\}")
_BODIES = ("command", "pipeline")
_MOST_ITERATIONS = 1000


@dataclass(frozen=True)
class Condition:
    """What decides whether a node runs: the value that its `if_else` must have."""

    name: str
    value: bool | StepOutput | JobOutput
    wanted: bool


@dataclass(frozen=True)
class DoWhile:
    """A loop that repeats its body. `mapping` says which output an input has after the first time."""

    name: str
    mapping: Mapping[str, str]
    condition: str | None
    most: int


@dataclass(frozen=True)
class ParallelFor:
    """A loop that runs its body for each item: for inputs by name, or for a text that only a run has."""

    name: str
    items: list[dict[str, Input]] | StepOutput | JobOutput
    width: int | None


Loop = DoWhile | ParallelFor


@dataclass(frozen=True)
class Flow:
    """A pipeline's nodes without those of control flow.

    A loop is one node: `do_while` in place of its body, because others read the outputs of the body. `parallel_for` has
    a name and outputs of its own. `bodies` are the nodes that a `parallel_for` runs, by its name, and `replaced` says
    by the name of such a body which loop is in its place.
    """

    jobs: dict[str, Json]
    loops: dict[str, Loop] = field(default_factory=dict)
    bodies: dict[str, Json] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)

    def waits(self) -> dict[str, set[str]]:
        """Return the nodes for which others wait because of their condition or items."""
        found: dict[str, set[str]] = {}
        for name, condition in self.conditions.items():
            if isinstance(condition.value, StepOutput):
                found.setdefault(name, set()).add(condition.value.step)
        for name, loop in self.loops.items():
            if isinstance(loop, ParallelFor):
                items = (
                    [loop.items] if not isinstance(loop.items, list) else [v for i in loop.items for v in i.values()]
                )
                found.setdefault(name, set()).update(item.step for item in items if isinstance(item, StepOutput))
        return found


def read(jobs: Mapping[str, Json], inputs: Mapping[str, Given]) -> Flow:
    """Return a pipeline's control flow. Raises GraphError for a node of control flow that cannot run."""
    kinds = {name: str(spec.get("type")).lower() for name, spec in jobs.items()}
    found = Flow({name: spec for name, spec in jobs.items() if kinds[name] not in TYPES})
    for name, spec in jobs.items():
        if kinds[name] in ("do_while", "parallel_for"):
            _read_loop(found, name, kinds[name], spec, jobs)
    _refuse_misread(found, jobs, kinds)
    for name, loop in found.loops.items():
        if isinstance(loop, ParallelFor):
            text = jobs[loop.name].get("items")
            found.loops[name] = ParallelFor(loop.name, _items(loop.name, text, found.jobs, inputs), loop.width)
    for name, spec in jobs.items():
        if kinds[name] == "if_else":
            _read_condition(found, name, spec, jobs, inputs)
    return found


def _read_loop(found: Flow, name: str, kind: str, spec: Json, jobs: Mapping[str, Json]) -> None:
    body = _job(name, "body", spec.get("body"), found.jobs.keys() - found.bodies.keys(), jobs)
    if body in found.loops:
        raise GraphError(f"node '{name}': '{body}' is the body of '{found.loops[body].name}' already")
    if str(jobs[body].get("type", "command")).lower() not in _BODIES:
        raise GraphError(f"node '{name}': the body '{body}' must be of type {' or '.join(_BODIES)}")
    if kind == "do_while":
        found.loops[body] = DoWhile(name, _mapping(name, body, spec), _ends(name, body, spec), _most(name, spec))
        return
    for output, given in (jobs[body].get("outputs") or {}).items():
        if "parent.outputs" in str(given):
            raise GraphError(
                f"node '{name}': the output '{output}' of its body '{body}' is bound to the pipeline's, and exists "
                f"once for each item; bind the output of '{name}'"
            )
    width = spec.get("max_concurrency")
    if width is not None and _whole(width) < 1:
        raise GraphError(f"node '{name}': max_concurrency is '{width}' and must be at least 1")
    found.bodies[name] = found.jobs.pop(body)
    found.replaced[body] = name
    found.jobs[name] = {**found.bodies[name], "outputs": spec.get("outputs") or {}}
    found.loops[name] = ParallelFor(name, [], int(width) if width is not None else None)


def _job(name: str, key: str, given: Any, known: Collection[str], jobs: Mapping[str, Json]) -> str:
    """Return the node that a key names. `known` are the nodes that it may name."""
    match = _JOB.fullmatch(str(given))
    if match is None:
        raise GraphError(f"node '{name}': {key} is '{given}' and must name a node, as ${{{{parent.jobs.NAME}}}}")
    if match[1] in known:
        return match[1]
    if match[1] not in jobs:
        raise GraphError(f"node '{name}': {key} names '{match[1]}', and the nodes are: {', '.join(sorted(known))}")
    kind = jobs[match[1]].get("type")
    if kind in TYPES:
        raise GraphError(f"node '{name}': {key} names '{match[1]}' of type {kind}; put that into a pipeline component")
    raise GraphError(f"node '{name}': {key} names '{match[1]}', which is the body of another loop")


def _port(name: str, key: str, body: str, group: str, given: Any) -> str:
    """Return the body's input or output that a key names, by its name alone or as a binding."""
    match = _PORT.fullmatch(str(given))
    if "${{" in str(given) and (match is None or match.group(1, 2) != (body, group)):
        raise GraphError(f"node '{name}': {key} is '{given}' and must name one of the {group} of its body '{body}'")
    return match[3] if match else str(given)


def _mapping(name: str, body: str, spec: Json) -> dict[str, str]:
    given = spec.get("mapping")
    if not isinstance(given, dict):
        raise GraphError(f"node '{name}' has no mapping of outputs of its body '{body}' to its inputs")
    found: dict[str, str] = {}
    for key, targets in given.items():
        output = _port(name, "mapping", body, "outputs", key)
        for target in targets if isinstance(targets, list) else [targets]:
            taker = _port(name, "mapping", body, "inputs", target)
            if taker in found:
                raise GraphError(f"node '{name}': mapping gives input '{taker}' both '{found[taker]}' and '{output}'")
            found[taker] = output
    return found


def _ends(name: str, body: str, spec: Json) -> str | None:
    """Return the output by which a loop ends, or None for one that runs as often as its limit says."""
    given = spec.get("condition")
    if given is None or str(given).lower() == "true":
        return None
    return _port(name, "condition", body, "outputs", given)


def _most(name: str, spec: Json) -> int:
    given = (spec.get("limits") or {}).get("max_iteration_count")
    most = _whole(given)
    if not 1 <= most <= _MOST_ITERATIONS:
        raise GraphError(
            f"node '{name}': limits.max_iteration_count is '{given}' and must be from 1 to {_MOST_ITERATIONS}"
        )
    return most


def _whole(given: Any) -> int:
    try:
        return int(given)
    except (TypeError, ValueError):
        return 0


def _items(name: str, given: Any, jobs: Mapping[str, Json], inputs: Mapping[str, Given]) -> Any:
    if isinstance(given, str) and "${{" in given and not given.lstrip().startswith(("[", "{")):
        try:
            source = graph.take("items", {"value": given}, jobs, inputs)
        except GraphError as error:
            raise GraphError(f"node '{name}': {error}") from error
        if not isinstance(source, Literal):
            return source
        given = source.value
    try:
        return [
            {key: graph.take(key, _wire(value), jobs, inputs) for key, value in item.items()} for item in listed(given)
        ]
    except GraphError as error:
        raise GraphError(f"node '{name}': {error}") from error


def listed(given: Any) -> list[Json]:
    """Return the items of a `parallel_for`, which may be JSON. Raises GraphError."""
    if isinstance(given, str):
        try:
            given = bodies.parse(given.encode())
        except ValueError as error:
            raise GraphError(f"items is neither JSON nor a binding: {error}") from error
    items = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(items, list) or not items:
        raise GraphError("items must be a list or an object with at least one item")
    if len(items) > _MOST_ITERATIONS:
        raise GraphError(f"amlite runs at most {_MOST_ITERATIONS} items, got {len(items)}")
    for item in items:
        if not isinstance(item, dict):
            raise GraphError(f"the item '{item}' must be an object with the names and values of inputs")
        if item.keys() != items[0].keys():
            raise GraphError(f"the item {item} must have the same inputs as the first: {', '.join(items[0])}")
    return items


def literal(key: str, value: Any) -> Given:
    """Return one value of an item that a run has produced. Raises GraphError."""
    return graph.parse_input(key, _wire(value))


def _wire(value: Any) -> Json:
    return value if isinstance(value, dict) else {"value": value}


def _read_condition(found: Flow, name: str, spec: Json, jobs: Mapping[str, Json], inputs: Mapping[str, Given]) -> None:
    value = _decides(name, spec.get("condition"), found.jobs, inputs)
    blocks = {"true_block": True, "false_block": False}
    if not any(spec.get(key) for key in blocks):
        raise GraphError(f"node '{name}' has neither a true_block nor a false_block")
    for key, wanted in blocks.items():
        given = spec.get(key) or []
        for each in given if isinstance(given, list) else [given]:
            node = _job(name, key, each, found.jobs.keys(), jobs)
            if node in found.conditions:
                other = found.conditions[node].name
                where = "both of its blocks" if other == name else f"a block of '{other}' too"
                raise GraphError(f"node '{name}': '{node}' is in {where}")
            found.conditions[node] = Condition(name, value, wanted)


def _decides(
    name: str, given: Any, jobs: Mapping[str, Json], inputs: Mapping[str, Given]
) -> bool | StepOutput | JobOutput:
    if isinstance(given, bool):
        return given
    if given is None:
        raise GraphError(f"node '{name}' has no condition")
    try:
        value = graph.take("condition", {"value": given}, jobs, inputs)
    except GraphError as error:
        raise GraphError(f"node '{name}': {error}") from error
    if isinstance(value, StepOutput) or (isinstance(value, JobOutput) and value.type == "boolean"):
        return value
    text = value.value.lower() if isinstance(value, Literal) else ""
    if text not in ("true", "false"):
        raise GraphError(
            f"node '{name}': the condition is '{given}' and must be true, false, or bound to a boolean output or input"
        )
    return text == "true"


def _refuse_misread(found: Flow, jobs: Mapping[str, Json], kinds: Mapping[str, str]) -> None:
    """Refuse bindings to the outputs of nodes that have none."""
    for name, spec in jobs.items():
        for match in _PORT.finditer(json.dumps(spec)):
            target = match[1]
            loop = found.replaced.get(target)
            if loop is not None and name != loop:
                raise GraphError(
                    f"node '{name}' reads '{target}', the body of '{loop}', which runs once for each item; "
                    f"use ${{{{parent.jobs.{loop}.outputs.{match[3]}}}}}"
                )
            if kinds.get(target) == "do_while":
                body = str(jobs[target].get("body"))
                raise GraphError(f"node '{name}' reads '{target}', which has no outputs; read those of its body {body}")
            if kinds.get(target) == "if_else":
                raise GraphError(f"node '{name}' reads '{target}', which has no outputs")
