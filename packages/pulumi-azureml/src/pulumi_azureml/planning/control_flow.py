"""The control flow of pipelines: `if_else`, `do_while` and `parallel_for`, private previews of azure-ai-ml.

azure-ai-ml accepts them in YAML only if a variable was set when it was imported. Without it, such a pipeline stays with
`az ml`.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pulumi_azureml.planning.assets import Asset, AssetId, Definition, put
from pulumi_azureml.planning.drafts import Draft

VARIABLE = "AZURE_ML_CLI_PRIVATE_FEATURES_ENABLED"
LOOPS = ("do_while", "parallel_for")
_TYPES = (*LOOPS, "if_else")
CURE = f"set {VARIABLE}=true in the environment of Pulumi"
WHY = f"azure-ai-ml takes that as a private preview only: {CURE} to plan it"
LITERALS = frozenset({"boolean", "integer", "number", "string"})
_NODE = re.compile(r"\$\{\{\s*parent\.jobs\.([A-Za-z0-9_-]+)\s*\}\}")


def is_taken() -> bool:
    """Return whether azure-ai-ml takes control flow from YAML. It asks the same, when it is imported."""
    return os.environ.get(VARIABLE) in ("True", "true")


def is_control(step: Any) -> bool:
    """Return whether a step of a pipeline controls others."""
    return isinstance(step, dict) and step.get("type") in _TYPES


def first(data: Mapping[str, Any]) -> str | None:
    """Return the name of a pipeline's first step that controls others."""
    return next((name for name, _ in nodes(data, *_TYPES)), None)


def nodes(data: Mapping[str, Any], *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the steps of a pipeline that have one of the types, by their names."""
    jobs = data.get("jobs")
    for name, step in (jobs if isinstance(jobs, dict) else {}).items():
        if isinstance(step, dict) and step.get("type") in types:
            yield str(name), step


def named(text: Any) -> str | None:
    """Return the step that a body or a block names."""
    match = _NODE.fullmatch(text.strip()) if isinstance(text, str) else None
    return match[1] if match else None


def body_of(data: Mapping[str, Any], name: str) -> str | None:
    """Return the body of a `parallel_for`, or None if the step is none."""
    return next((named(step.get("body")) for each, step in nodes(data, "parallel_for") if each == name), None)


def gathered(ports: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of a `parallel_for` from those of its body: tables of data, and texts of other values.

    Source: `OUT_TYPE_MAPPING` in azure-ai-ml's builder.
    """
    return {
        str(name): {"type": "string" if isinstance(port, dict) and port.get("type") in LITERALS else "mltable"}
        for name, port in ports.items()
    }


def include_bodies(draft: Draft, resolved: Mapping[AssetId, Asset]) -> None:
    """Put the component of each `do_while` into the definition, in place of the reference.

    azure-ai-ml compares a loop with the component of its body, and reads no registered one for that. It sends the
    component without a name.
    """
    for _, loop in nodes(draft.definition, "do_while"):
        keys = ("jobs", named(loop.get("body")) or "", "component")
        target = draft.targets.get(keys)
        if target is None:
            continue
        asset = resolved[target]
        own = asset.metadata.keys() | {"name", "version"}
        content = {key: value for key, value in asset.definition.items() if key not in own}
        put(draft.definition, keys, copy.deepcopy(content))
        draft.trees |= {(*keys, *inner): tree for inner, tree in asset.trees.items()}


def with_files(definition: Definition, folder: Path) -> Definition:
    """Return a definition with each pipeline component inside it in a file: azure-ai-ml takes it from a file only."""
    if isinstance(definition.get("create_job"), dict):
        return {**definition, "create_job": with_files(definition["create_job"], folder)}
    jobs = definition.get("jobs")
    changed: dict[str, Any] = {}
    for name, step in (jobs if isinstance(jobs, dict) else {}).items():
        component = step.get("component") if isinstance(step, dict) else None
        if isinstance(component, dict) and component.get("type") == "pipeline":
            inner = folder / str(name)
            inner.mkdir()
            file = inner / "component.yml"
            file.write_text(yaml.safe_dump(with_files(component, inner), sort_keys=False), encoding="utf-8")
            changed[name] = {**step, "component": str(file)}
    return {**definition, "jobs": {**jobs, **changed}} if changed and isinstance(jobs, dict) else definition
