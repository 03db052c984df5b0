"""What the nodes `if_else`, `do_while` and `parallel_for` of a pipeline use, and whether they fit their steps.

Source: the builders `condition_node`, `do_while` and `parallel_for` of azure-ai-ml, which say the same at the
submission.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.control_flow import LITERALS, LOOPS, is_control, named, nodes
from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.drafts import Draft, is_local, use
from pulumi_azureml.planning.inputs import BINDING
from pulumi_azureml.planning.jobs import MODELS, mapping
from pulumi_azureml.planning.problems import Problem, one_of, suggestion
from pulumi_azureml.planning.references import names_asset

_PORT = re.compile(r"\$\{\{\s*parent\.jobs\.([A-Za-z0-9_-]+)\.(inputs|outputs)\.([A-Za-z0-9_]+)\s*\}\}")
_BLOCKS = ("true_block", "false_block")
_BODIES = ("command", "pipeline")


class Wiring(Protocol):
    """The steps of a pipeline with their components, by name."""

    draft: Draft
    steps: dict[str, dict[str, Any]]
    components: dict[str, Draft]

    def resolve(self, keys: KeyPath, path: str) -> tuple[str | None, Problem | None]:
        """Return the type of what a binding names, if known, or a problem."""

    def ports(self, step: str, group: str) -> Mapping[str, Any] | None:
        """Return the inputs or outputs of a step, if known."""

    def check_value(self, keys: KeyPath, value: Any, port: Mapping[str, Any]) -> Iterator[Problem]:
        """Check a value that an input gets."""


def collect_control(draft: Draft, name: str, step: dict[str, Any]) -> None:
    """Note the data that a loop's items name. Refuse control flow that azure-ai-ml would not take."""
    keys: KeyPath = ("jobs", name)
    type_ = step["type"]
    if not control_flow.is_taken():
        if name == control_flow.first(draft.definition):
            message = f"step '{name}' is of type {type_}; {control_flow.WHY}"
            draft.problem((*keys, "type"), message, f"{control_flow.CURE}, or remove such steps from this pipeline")
        return
    if name == control_flow.first(draft.definition):
        message = f"step '{name}' is of type {type_}, a private preview, and planned as {control_flow.VARIABLE} is set"
        fix = "set it wherever you deploy this: an update without it leaves the pipeline out, and deletes what it made"
        draft.warnings.append(draft.document.problem((*keys, "type"), message, fix))
    if type_ != "parallel_for":
        return
    items = step.get("items")
    if isinstance(items, str) and "${{" not in items.lstrip()[:3]:
        try:
            items = step["items"] = json.loads(items)
        except ValueError as error:
            message = f"the items of '{name}' are neither JSON nor a binding: {error}"
            draft.problem((*keys, "items"), message, "write a list, with the names and values of inputs in each item")
    for place, item in _items(items):
        for port, value in mapping(item).items():
            path, at = mapping(value).get("path"), (*keys, "items", place, port, "path")
            if isinstance(path, str) and names_asset(path):
                use(draft, at, "model" if value.get("type") in MODELS else "data", path)
            elif isinstance(path, str) and path.strip() and "${{" not in path and is_local(path):
                message = f"azure-ai-ml uploads no files of this machine for items: '{path}'"
                draft.problem(at, message, "make it a data asset, and write `azureml:NAME`")


def check_control(steps: Wiring, name: str, step: dict[str, Any]) -> Iterator[Problem]:
    """Check a node of control flow by the steps that it names. azure-ai-ml itself checks the rest."""
    if not control_flow.is_taken():
        return
    if step["type"] == "if_else":
        yield from _check_condition(steps, name, step)
        return
    keys = ("jobs", name, "body")
    body = named(step.get("body")) or ""
    problem = _wrong_step(steps, keys, step.get("body"))
    if problem is not None:
        yield problem
    elif steps.steps[body].get("type", "command") not in _BODIES or body in steps.draft.extracted:
        message = f"azure-ai-ml repeats no step like '{body}': it takes components of type command or pipeline"
        fix = "put the work into a file of a component, and name it in the step"
        yield steps.draft.document.problem(keys, message, fix)
    elif step["type"] == "do_while":
        yield from _check_do_while(steps, name, step, body)
    else:
        yield from _check_items(steps, name, step, body)
        yield from _check_outputs(steps, name, step, body)


def given_by_loop(data: Mapping[str, Any]) -> dict[str, frozenset[str] | None]:
    """Return the inputs that a `parallel_for` gives its body, by the body's name. None: only a run knows them."""
    found: dict[str, frozenset[str] | None] = {}
    for _, loop in nodes(data, "parallel_for"):
        items = list(_items(loop.get("items")))
        keys = frozenset(str(port) for _, item in items for port in mapping(item))
        found[named(loop.get("body")) or ""] = keys if items else None
    return found


def waits(jobs: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the steps for which others wait because of their loop or condition, by their name."""
    found: dict[str, set[str]] = {}
    for name, loop in nodes({"jobs": jobs}, *LOOPS):
        sources = {match[1].split(".")[1] for match in _bindings(loop.get("items"))}
        found.setdefault(name, set()).update(sources | {named(loop.get("body")) or ""})
    for _, choice in nodes({"jobs": jobs}, "if_else"):
        sources = {match[1].split(".")[1] for match in _bindings(choice.get("condition"))}
        for block in _BLOCKS:
            for each in _listed(choice.get(block)):
                found.setdefault(named(each) or "", set()).update(sources)
    return {name: others for name, others in found.items() if name in jobs}


def _check_condition(steps: Wiring, name: str, step: dict[str, Any]) -> Iterator[Problem]:
    keys, condition = ("jobs", name, "condition"), step.get("condition")
    for match in _bindings(condition):
        type_, problem = steps.resolve(keys, match[1])
        if problem is not None:
            yield problem
        elif type_ is not None and type_ not in LITERALS:
            message = f"the condition of '{name}' is bound to data ({type_})"
            yield steps.draft.document.problem(keys, message, "bind it to an output or input of type boolean")
    for block in _BLOCKS:
        for each in _listed(step.get(block)):
            problem = _wrong_step(steps, ("jobs", name, block), each)
            if problem is not None:
                yield problem


def _check_do_while(steps: Wiring, name: str, step: dict[str, Any], body: str) -> Iterator[Problem]:
    document, component = steps.draft.document, steps.components.get(body)
    if component is None:
        if ("jobs", body, "component") not in steps.draft.targets:
            message = f"azure-ai-ml repeats a component only if it reads its file, and no file defines that of '{body}'"
            fix = "name a component of this project, such as a pipeline component whose step runs the other one"
            yield document.problem(("jobs", body, "component"), message, fix)
        return
    condition = step.get("condition")
    if str(condition).lower() in ("true", "false"):
        message = f"azure-ai-ml takes no {str(condition).lower()} for the condition of '{name}'"
        fix = "name an output of its body, or remove the key: it then runs `max_iteration_count` times"
        yield document.problem(("jobs", name, "condition"), message, fix)
        condition = None
    named_ports = [("condition", "outputs", condition)] if condition is not None else []
    for source, targets in mapping(step.get("mapping")).items():
        named_ports += [("mapping", "outputs", source), *(("mapping", "inputs", each) for each in _listed(targets))]
    for key, group, given in named_ports:
        match = _PORT.fullmatch(given.strip()) if isinstance(given, str) else None
        port = match[3] if match is not None and match.group(1, 2) == (body, group) else str(given)
        yield from _known(steps, ("jobs", name, key), body, group, port, mapping(component.definition.get(group)))


def _check_items(steps: Wiring, name: str, step: dict[str, Any], body: str) -> Iterator[Problem]:
    keys: KeyPath = ("jobs", name, "items")
    component, items = steps.components.get(body), step.get("items")
    declared = mapping(component.definition.get("inputs")) if component is not None else None
    for match in _bindings(items) if isinstance(items, str) else ():
        _, problem = steps.resolve(keys, match[1])
        if problem is not None:
            yield problem
    for place, item in _items(items):
        for port, value in mapping(item).items():
            at = (*keys, place, port)
            if declared is not None and port not in declared:
                yield from _known(steps, at, body, "inputs", port, declared)
            else:
                yield from steps.check_value(at, value, mapping((declared or {}).get(port)))


def _check_outputs(steps: Wiring, name: str, step: dict[str, Any], body: str) -> Iterator[Problem]:
    ports = steps.ports(name, "outputs")
    for output, value in mapping(step.get("outputs")).items():
        at = ("jobs", name, "outputs", output)
        if ports is not None:
            yield from _known(steps, at, body, "outputs", output, ports)
        for match in _bindings(value.get("path") if isinstance(value, dict) else value):
            _, problem = steps.resolve(at, match[1])
            if problem is not None:
                yield problem


def _wrong_step(steps: Wiring, keys: tuple[str, str, str], given: Any) -> Problem | None:
    """Return the problem of a body or a block that is no step, or a step that is control flow itself."""
    document, target = steps.draft.document, named(given)
    if target is None:
        message = f"'{keys[2]}' of '{keys[1]}' is '{given}', and must name a step"
        return document.problem(keys, message, "write ${{parent.jobs.STEP}}")
    if target not in steps.steps:
        advice = suggestion(target, steps.steps, otherwise=one_of(steps.steps))
        return document.problem(keys, f"there is no step '{target}'", advice)
    if not is_control(steps.steps[target]):
        return None
    message = f"'{target}' is of type {steps.steps[target]['type']}, which azure-ai-ml takes in no block and no body"
    return document.problem(keys, message, "put it into a pipeline component, and name the step that runs that")


def _known(
    steps: Wiring, keys: KeyPath, body: str, group: str, port: str, ports: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield the problem of an input or output that a body does not have."""
    if port not in ports:
        advice = suggestion(str(port), ports, otherwise=one_of(ports))
        yield steps.draft.document.problem(
            keys, f"'{body}', the body of the loop, has no {group[:-1]} '{port}'", advice
        )


def _items(items: Any) -> Iterator[tuple[str | int, Any]]:
    """Yield the items of a loop, each with its key."""
    if isinstance(items, dict):
        yield from items.items()
    elif isinstance(items, list):
        yield from enumerate(items)


def _bindings(value: Any) -> Iterator[re.Match[str]]:
    """Yield the bindings to other steps' ports in a value, and to the pipeline's if it is one text."""
    if isinstance(value, str):
        yield from BINDING.finditer(value)
    elif isinstance(value, dict | list):
        for _, each in _items(value):
            yield from (match for match in _bindings(each) if match[1].startswith("jobs."))


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
