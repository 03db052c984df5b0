"""The component of a pipeline's node, and the inputs that the node gives to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import graph, kinds
from amlite.services.jobs.graph import Data, GraphError, Input, JobOutput, Literal, Node, StepOutput
from amlite.services.jobs.plan import written
from amlite.services.machinelearning import references


def find(platform: Platform, workspace_id: str, node: str, kind: str, spec: Json) -> tuple[str | None, Json]:
    """Return the id of a node's component and its specification."""
    if kind == "AutoML":
        return None, kinds.automl.component(spec)
    reference = spec.get("componentId") or (spec.get("trial") or {}).get("componentId")
    if not reference:
        raise GraphError(f"node '{node}' has no componentId")
    document = references.asset(platform, workspace_id, reference, "components")
    component = document.body["properties"]["componentSpec"]
    found = str(component.get("type", "command")).lower().removesuffix("component")
    wanted = "command" if kind == "Sweep" else kind.lower()
    if found != wanted:
        raise GraphError(
            f"node '{node}' is of type {kind.lower()} and its component '{component.get('name')}' of type {found}, "
            f"which must be {wanted}"
        )
    return document.id, component


def inputs_of(
    platform: Platform,
    workspace_id: str,
    node: Node,
    spec: Json,
    component: str,
    declared: Mapping[str, Json],
    given: Collection[str] = (),
) -> Json:
    """Return a node's inputs, without those that are given already."""
    for name in node.inputs:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise GraphError(f"node '{node.name}': component '{component}' has no input '{name}', only: {known}")
    inputs: Json = {}
    modes = spec.get("inputs") or {}
    for name, declaration in declared.items():
        value = node.inputs.get(name)
        if value is None and name in given:
            continue
        if value is None and declaration.get("default") is not None:
            value = Literal(graph.text(declaration["default"]))
        if value is not None:
            inputs[name] = input_of(platform, workspace_id, node.name, name, value, declaration)
            if mode := graph.mode(modes.get(name)) or graph.mode(declaration):
                inputs[name]["mode"] = mode
            if "step" in inputs[name] and _is_optional(declaration):
                inputs[name]["optional"] = True
        elif not _is_optional(declaration):
            raise GraphError(f"node '{node.name}': the required input '{name}' has no value")
    return inputs


def _is_optional(declaration: Json) -> bool:
    return str(declaration.get("optional", "")).lower() == "true"


def input_of(platform: Platform, workspace_id: str, node: str, name: str, value: Input, declaration: Json) -> Json:
    """Return an input in the form of a job. Raises GraphError if it does not fit, AzureError if it names nothing."""
    kind = graph.port(declaration, "string")
    # A file for an input that takes folders stays a file: the job gets its path.
    is_file = isinstance(value, Data) and (kind, value.type) == ("uri_folder", "uri_file")
    if isinstance(value, Data) and (is_file or graph.takes_any_path(declaration)):
        kind = value.type
    if isinstance(value, StepOutput):
        return {"jobInputType": kind, "step": value.step, "output": value.output}
    if isinstance(value, JobOutput):
        return {"jobInputType": kind, "step": value.job, "output": value.output}
    if isinstance(value, Data):
        if kind not in graph.PATH_TYPES:
            raise GraphError(f"node '{node}': input '{name}' is a {kind}, got the path '{value.uri}'")
        return written(platform, workspace_id, name, Data(value.uri, kind))
    if kind in graph.PATH_TYPES and references.is_data(value.value):
        return written(platform, workspace_id, name, Data(value.value, kind))
    try:
        graph.check_literal(name, value.value, declaration)
    except GraphError as error:
        raise GraphError(f"node '{node}': {error}") from error
    return {"jobInputType": "literal", "value": value.value}
