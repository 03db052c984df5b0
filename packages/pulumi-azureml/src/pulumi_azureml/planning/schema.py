"""Check a document's keys and types against `schema.json`, which is generated from azure-ai-ml's own schemas."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.documents import Document, KeyPath
from pulumi_azureml.planning.problems import Problem, listing, suggestion

Node = dict[str, Any]

_NAMES = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


# Keys that a step has and its component does not, and a key that only components have.
_OF_STEPS = frozenset({"compute", "environment_variables", "identity", "limits"})
_OF_COMPONENTS = "is_deterministic"


@functools.cache
def _schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
    return document


@dataclass(frozen=True)
class _Taken:
    """What azure-ai-ml sends as it is, although it looks like a mistake."""

    problem: Problem


def check(kind: str, document: Document, *, type_name: str = "") -> tuple[list[Problem], list[Problem]]:
    """Return the problems of one document, and what may be a mistake although azure-ai-ml takes it.

    Problems are unknown keys, missing keys, wrong types and values that are not allowed. `type_name` chooses the schema
    if a kind has several (a component's `type:`).
    """
    found = list(_check(_schema()["kinds"][kind][type_name], document.data, (), document))
    problems = [each for each in found if isinstance(each, Problem)]
    return problems, [each.problem for each in found if isinstance(each, _Taken)]


def types_at(kind: str, type_name: str, data: Any, keys: KeyPath) -> set[str]:
    """Return the types that a value may have by the schema, `any` among them if it is open; none for an unknown key."""
    types = _schema()["kinds"][kind]
    nodes, value = [types[type_name]] if type_name in types else [], data
    for key in keys:
        leaves = [leaf for node in nodes for leaf in _alternatives(node, value)]
        if any("any" in leaf for leaf in leaves):
            return {"any"}
        if isinstance(value, dict):
            nodes = [leaf["keys"][key] for leaf in leaves if key in leaf.get("keys", {})]
            nodes += [leaf["values"] for leaf in leaves if "values" in leaf]
        else:
            nodes = [leaf["items"] for leaf in leaves if "items" in leaf]
        value = value[key]
    found = [leaf for node in nodes for leaf in _alternatives(node, value)]
    return {"any" if "any" in leaf else str(leaf["type"]) for leaf in found} - {"list", "mapping"}


def _alternatives(node: Node, value: Any) -> list[Node]:
    """Return the leaves of a node: resolve references, flatten unions, and choose the case by the value's type key."""
    if "ref" in node:
        return _alternatives(_schema()["definitions"][node["ref"]], value)
    if "one_of" in node:
        return [leaf for each in node["one_of"] for leaf in _alternatives(each, value)]
    if "by" in node:
        chosen = value.get(node["by"]) if isinstance(value, dict) else None
        if isinstance(chosen, str) and chosen in node["cases"]:
            return _alternatives(node["cases"][chosen], value)
        everything = [node["other"], *([] if chosen is None else node["cases"].values())]
        return [leaf for each in everything for leaf in _alternatives(each, value)]
    return [node]


def _fits(leaf: Node, value: Any) -> bool:
    match leaf.get("type"):
        case "string":
            return isinstance(value, str) or not isinstance(value, dict | list | bool | int | float)
        case "integer":
            return (isinstance(value, int) and not isinstance(value, bool)) or _is_number(value, r"[+-]?\d+")
        case "number":
            return (isinstance(value, int | float) and not isinstance(value, bool)) or _is_number(value, r".*\d.*")
        case "boolean":
            return isinstance(value, bool) or str(value).lower() in {"true", "false"}
        case "list":
            return isinstance(value, list)
        case "mapping":
            return isinstance(value, dict)
    return True


def _is_number(value: Any, pattern: str) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _check(node: Node, value: Any, keys: KeyPath, document: Document) -> Iterator[Problem | _Taken]:
    if value is None or (isinstance(value, str) and "${{" in value):
        return
    if len(keys) == 2 and keys[0] == "jobs" and control_flow.is_control(value) and not control_flow.is_taken():
        return  # `pipelines` refuses it with a reason
    leaves = _alternatives(node, value)
    if not leaves or any("any" in leaf for leaf in leaves):
        return
    fitting = [leaf for leaf in leaves if _fits(leaf, value)]
    if not fitting:
        yield _wrong_type(leaves, value, keys, document)
    elif isinstance(value, dict):
        yield from _check_mapping(fitting, value, keys, document)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check({"one_of": [leaf["items"] for leaf in fitting]}, item, (*keys, index), document)
    elif all("choices" in leaf for leaf in fitting):
        choices = [choice for leaf in fitting for choice in leaf["choices"]]
        if _plain(value) not in map(_plain, choices):
            advice = suggestion(str(value), choices, otherwise=f"use one of {listing(choices)}")
            yield document.problem(keys, f"'{_dotted(keys)}' cannot be '{value}'", advice)


def _check_mapping(
    leaves: list[Node], value: dict[str, Any], keys: KeyPath, document: Document
) -> Iterator[Problem | _Taken]:
    is_open = any(leaf.get("open") for leaf in leaves)
    # If an alternative does not have a key, only those that have it count.
    for key, item in value.items():
        nodes = [leaf["keys"][key] for leaf in leaves if key in leaf.get("keys", {})]
        nodes += [leaf["values"] for leaf in leaves if "values" in leaf]
        if nodes:
            yield from _check({"one_of": nodes}, item, (*keys, str(key)), document)
            continue
        known = {name for leaf in leaves for name in leaf.get("keys", {})}
        advice = _inner(str(key), leaves) or _outer(str(key), known) or suggestion(str(key), known, otherwise="")
        if advice or not is_open:
            where = f" in '{_dotted(keys)}'" if keys else ""
            fix = advice or f"remove it, or use one of {listing(known)}"
            problem = document.problem((*keys, str(key)), f"unknown key '{key}'{where}", fix)
            yield _Taken(problem) if is_open else problem
    required = set.intersection(*(set(leaf.get("required", ())) for leaf in leaves))
    for key in sorted(required & set(value)):
        if value[key] in (None, ""):
            yield document.problem((*keys, key), f"'{_dotted((*keys, key))}' is empty", f"write a value for `{key}:`")
    for key in sorted(required - set(value)):
        where = f"'{_dotted(keys)}' has no '{key}'" if keys else f"'{key}' is missing"
        yield document.problem(keys, where, f"add `{key}:`")


def _inner(key: str, leaves: list[Node]) -> str:
    """Return advice to move a key one level down, if one of the mappings there takes it."""
    for leaf in leaves:
        for name, node in leaf.get("keys", {}).items():
            inner = [each for each in _alternatives(node, {}) if key in each.get("keys", {})]
            if inner and name not in ("inputs", "outputs", "jobs"):
                return f"move it under `{name}:`"
    return ""


def _outer(key: str, known: Collection[str]) -> str:
    """Return advice to move a key of a step out of the component that the step runs."""
    if key in _OF_STEPS and _OF_COMPONENTS in known:
        return f"set `{key}:` on the step that runs the component"
    return ""


def _wrong_type(leaves: list[Node], value: Any, keys: KeyPath, document: Document) -> Problem:
    wanted = sorted({_NAMES.get(leaf["type"], f"a {leaf['type']}") for leaf in leaves})
    shown = (
        value
        if isinstance(value, str | int | float | bool)
        else f"a {'list' if isinstance(value, list) else 'mapping'}"
    )
    fix = f"write {' or '.join(wanted)}" + (
        " (quote it)" if wanted == ["text"] and not isinstance(value, dict | list) else ""
    )
    return document.problem(keys, f"'{_dotted(keys)}' has the wrong type: {shown}", fix)


def _plain(value: Any) -> str:
    """Normalize a value: azure-ai-ml treats `AADToken`, `aad_token` and `aadtoken` as equal."""
    return str(value).lower().replace("_", "")


def _dotted(keys: KeyPath) -> str:
    return ".".join(str(key) for key in keys)
