"""Steps that define their work inline: the part of a step that becomes a component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.assets import Definition
from pulumi_azureml.planning.drafts import Draft, Drafts, Inline
from pulumi_azureml.planning.inputs import BINDING, LITERALS, Components, literal_type
from pulumi_azureml.planning.jobs import mapping
from pulumi_azureml.planning.problems import listing, suggestion
from pulumi_azureml.planning.references import is_asset
from pulumi_azureml.planning.spelling import declared

# By the type of a step, the keys that only its component has. The others say how one step runs.
_COMPONENT_KEYS: Mapping[str, tuple[str, ...]] = {
    "command": ("command", "code", "environment", "additional_includes"),
    "parallel": (
        "task",
        "input_data",
        "mini_batch_size",
        "partition_keys",
        "error_threshold",
        "mini_batch_error_threshold",
        "max_concurrency_per_instance",
        "retry_settings",
        "logging_level",
    ),
    "spark": (
        "code",
        "entry",
        "args",
        "environment",
        "py_files",
        "jars",
        "files",
        "archives",
        "conf",
        "additional_includes",
    ),
}
_ESSENTIAL = {"command": "command", "parallel": "task", "spark": "entry"}
# azure-ai-ml takes this for an input or output that says no type.
_DEFAULT = "uri_folder"


def extract(draft: Draft, name: str, step: dict[str, Any]) -> None:
    """Move the work that a step defines into a component, which `azure-ai-ml` would register without a name."""
    type_ = step.get("type", "command")
    keys = _COMPONENT_KEYS.get(type_, ()) if isinstance(type_, str) else ()
    if not keys or "component" in step or _ESSENTIAL[type_] not in step:
        return
    component: Definition = {"type": type_}
    component |= {key: step.pop(key) for key in keys if key in step}
    component["inputs"] = {key: {"type": _DEFAULT} for key in mapping(step.get("inputs"))}
    component["outputs"] = {
        key: {"type": _output_type(draft, value)} for key, value in mapping(step.get("outputs")).items()
    }
    step["type"] = type_
    step["component"] = component
    draft.inlines.append(Inline(("jobs", name, "component"), "component", component))
    draft.extracted.add(name)


def name_data(definition: Definition, components: Components) -> None:
    """Write the data that a step gives as a text in the form that says its type: azure-ai-ml does it as it loads."""
    for step in mapping(definition.get("jobs")).values():
        types = declared(step, components) if isinstance(step, dict) else {}
        for port, value in mapping(mapping(step).get("inputs")).items():
            type_ = types.get(str(port))
            if isinstance(value, str) and value and "${{" not in value and type_ is not None and type_ not in LITERALS:
                step["inputs"][port] = {"type": type_, "path": value}


def complete(draft: Draft, drafts: Drafts) -> None:
    """Give the inputs of extracted components the types of their values, once all components are known."""
    steps = mapping(draft.definition.get("jobs"))
    for name in sorted(draft.extracted):
        component = drafts[draft.targets["jobs", name, "component"]]
        ports = component.definition["inputs"]
        for key, value in mapping(steps[name].get("inputs")).items():
            ports[key] = {"type": _input_type(draft, drafts, value)}


def leave_out(draft: Draft, drafts: Drafts) -> None:
    """Remove the inputs that a step's component does not have, with a warning.

    azure-ai-ml does the same if it reads the component. It sends all inputs of a step that has a reference.
    """
    for name, step in mapping(draft.definition.get("jobs")).items():
        target = draft.targets.get(("jobs", name, "component"))
        component = drafts.get(target) if target is not None else None
        written = mapping(step).get("component")
        if component is None or component.is_broken or (isinstance(written, str) and is_asset(written)):
            continue
        given, known = mapping(step.get("inputs")), mapping(component.definition.get("inputs"))
        for port in [port for port in given if port not in known]:
            advice = suggestion(port, known, otherwise=f"use one of {listing(known)}" if known else "remove it")
            message = f"component '{component.id.name}' has no input '{port}', so azure-ai-ml leaves it out"
            draft.warnings.append(draft.document.problem(("jobs", name, "inputs", port), message, advice))
            del step["inputs"][port]


def _output_type(draft: Draft, value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("type", _DEFAULT))
    match = BINDING.fullmatch(value.strip()) if isinstance(value, str) else None
    outputs = mapping(draft.definition.get("outputs"))
    return str(mapping(outputs.get(match[1].removeprefix("outputs."))).get("type", _DEFAULT)) if match else _DEFAULT


def _input_type(draft: Draft, drafts: Drafts, value: Any) -> str:
    """Return the type of a value, as azure-ai-ml finds it."""
    path = value.get("path") if isinstance(value, dict) else value
    match = BINDING.fullmatch(path.strip()) if isinstance(path, str) else None
    if match is None:
        if isinstance(value, dict):
            return str(value.get("type") or literal_type(value.get("value")) or _DEFAULT)
        return literal_type(value) or _DEFAULT
    if isinstance(value, dict) and "type" in value:
        return str(value["type"])
    match match[1].split("."):
        case ["inputs", name]:
            given = mapping(draft.definition.get("inputs")).get(name)
            if isinstance(given, dict):
                return str(given.get("type") or literal_type(given.get("value")) or _DEFAULT)
            return literal_type(given) or _DEFAULT
        case ["jobs", step, group, port]:
            body = control_flow.body_of(draft.definition, step)
            step = body or step
            target = draft.targets.get(("jobs", step, "component"))
            component = drafts.get(target) if target is not None else None
            ports = mapping(component.definition.get(group)) if component is not None else {}
            if component is None:
                ports = mapping(mapping(mapping(draft.definition.get("jobs")).get(step)).get(group))
            if body is not None:
                ports = control_flow.gathered(ports)
            return str(mapping(ports.get(port)).get("type", _DEFAULT))
    return _DEFAULT
