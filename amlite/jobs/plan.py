"""What a job will run, with every reference resolved: computed when it is submitted and again when it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amlite.errors import AzureError
from amlite.jobs import command, graph
from amlite.jobs.graph import Data, GraphError, Input, Literal, Node, StepOutput
from amlite.machinelearning import references
from amlite.platform import Platform

Json = dict[str, Any]
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_MODEL_TYPES = ("mlflow_model", "custom_model", "triton_model", "safe_model")


@dataclass(frozen=True)
class Step:
    """A node of a pipeline and the properties of the command job it becomes."""

    node: Node
    properties: Json


def command_job(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Return a command job's properties with its references resolved; AzureError for what cannot run.

    Afterwards `environmentId`, `codeId` and `computeId` are ARM ids, and data inputs name a version.
    """
    inputs = {name: _guard(graph.parse_input, name, given) for name, given in (properties.get("inputs") or {}).items()}
    outputs = properties.get("outputs") or {}
    wrong = command.problems(properties["command"], inputs.keys(), outputs.keys())
    if wrong:
        raise _refusal("; ".join(wrong))
    written = {name: _written(platform, workspace_id, name, value) for name, value in inputs.items()}
    return {**_resolved(platform, workspace_id, properties), "inputs": written}


def pipeline_job(platform: Platform, workspace_id: str, properties: Json) -> dict[str, Step]:
    """Return a pipeline's steps by node name, in an order in which they could run; AzureError for what cannot run."""
    jobs = properties.get("jobs") or {}
    if not jobs:
        raise _refusal("the pipeline has no nodes ('jobs' is empty)")
    given = properties.get("inputs") or {}
    inputs = {name: _guard(graph.parse_input, name, value) for name, value in given.items()}
    for name, value in inputs.items():
        _written(platform, workspace_id, name, value)
    nodes = _guard(graph.parse, jobs, inputs)
    settings = properties.get("settings") or {}
    compute = settings.get("default_compute") or settings.get("defaultCompute") or properties.get("computeId")
    steps = {
        name: Step(node, _guard(_node_job, platform, workspace_id, node, jobs[name], compute))
        for name, node in nodes.items()
    }
    declared = properties.get("outputs") or {}
    for name, step in steps.items():
        for key, value in step.node.inputs.items():
            if isinstance(value, StepOutput) and value.output not in steps[value.step].properties["outputs"]:
                known = ", ".join(sorted(steps[value.step].properties["outputs"])) or "none"
                raise _refusal(
                    f"node '{name}', input '{key}': node '{value.step}' has no output '{value.output}', only: {known}"
                )
        for key, target in step.node.outputs.items():
            if key not in step.properties["outputs"]:
                raise _refusal(f"node '{name}' has no output '{key}'")
            if target not in declared:
                raise _refusal(f"node '{name}', output '{key}': the pipeline has no output '{target}'")
            if declared[target]:
                _merge_output(step.properties["outputs"][key], declared[target])
    return steps


def _node_job(platform: Platform, workspace_id: str, node: Node, spec: Json, default_compute: str | None) -> Json:
    kind = str(spec.get("type", "command")).lower()
    if kind != "command":
        raise GraphError(f"node '{node.name}' is of type '{kind}'; this local Azure runs nodes of type command so far")
    reference = spec.get("componentId")
    if not reference:
        raise GraphError(f"node '{node.name}' has no componentId")
    document = references.asset(platform, workspace_id, reference, "components")
    component = document.body["properties"]["componentSpec"]
    if str(component.get("type", "command")).lower() not in ("command", "commandcomponent"):
        raise GraphError(
            f"node '{node.name}': component '{component.get('name')}' is of type '{component['type']}'; "
            "this local Azure runs command components so far"
        )
    declared = component.get("inputs") or {}
    inputs = _node_inputs(platform, workspace_id, node, str(component.get("name")), declared)
    outputs = {
        name: {"jobOutputType": declaration.get("type", "uri_folder")}
        for name, declaration in (component.get("outputs") or {}).items()
    }
    for name, given in (spec.get("outputs") or {}).items():
        if name in outputs and isinstance(given, dict):
            _merge_output(outputs[name], given)
    job: Json = {
        "jobType": "Command",
        "componentId": document.id,
        "command": component["command"],
        "environmentId": spec.get("environment") or component["environment"],
        "computeId": spec.get("computeId") or default_compute,
        "environmentVariables": {
            **(component.get("environment_variables") or {}),
            **(spec.get("environment_variables") or {}),
        },
        "displayName": spec.get("display_name") or node.name,
        "outputs": outputs,
        **{name: spec[name] for name in ("resources", "limits", "identity") if spec.get(name)},
    }
    if code := component.get("code"):
        job["codeId"] = code
    if resources := component.get("resources"):
        job.setdefault("resources", resources)
    wrong = command.problems(job["command"], declared.keys(), outputs.keys())
    if wrong:
        raise GraphError(f"node '{node.name}': {'; '.join(wrong)}")
    return {**_resolved(platform, workspace_id, job), "inputs": inputs}


def _node_inputs(platform: Platform, workspace_id: str, node: Node, component: str, declared: Json) -> Json:
    for name in node.inputs:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise GraphError(f"node '{node.name}': component '{component}' has no input '{name}', only: {known}")
    inputs: Json = {}
    for name, declaration in declared.items():
        value = node.inputs.get(name)
        if value is None and declaration.get("default") is not None:
            value = Literal(graph.text(declaration["default"]))
        if value is not None:
            inputs[name] = _node_input(platform, workspace_id, node.name, name, value, declaration)
        elif str(declaration.get("optional", "")).lower() != "true":
            raise GraphError(f"node '{node.name}': the required input '{name}' has no value")
    return inputs


def _resolved(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Return a command job's properties with environment, code and compute as ARM ids, and everything else checked."""
    environment = references.asset(platform, workspace_id, properties["environmentId"], "environments")
    resolved = {**properties, "environmentId": environment.id}
    if code := properties.get("codeId"):
        resolved["codeId"] = references.asset(platform, workspace_id, code, "codes").id
    resolved |= _compute(platform, workspace_id, properties.get("computeId"), properties.get("resources"))
    for name, output in (properties.get("outputs") or {}).items():
        if output and output.get("uri") and not references.is_data(_named(output["uri"], "job", "output")):
            raise _refusal(f"output '{name}' has the uri '{output['uri']}', which is no datastore path")
    if timeout := (properties.get("limits") or {}).get("timeout"):
        seconds(timeout)
    return resolved


def _node_input(platform: Platform, workspace_id: str, node: str, name: str, value: Input, declaration: Json) -> Json:
    kind = str(declaration.get("type", "string")).lower()
    if isinstance(value, StepOutput):
        return {"jobInputType": kind, "step": value.step, "output": value.output}
    if isinstance(value, Data):
        if kind not in graph.PATH_TYPES:
            raise GraphError(f"node '{node}': input '{name}' is a {kind}, got the path '{value.uri}'")
        return _written(platform, workspace_id, name, Data(value.uri, kind))
    if kind in graph.PATH_TYPES and references.is_data(value.value):
        return _written(platform, workspace_id, name, Data(value.value, kind))
    try:
        graph.check_literal(name, value.value, declaration)
    except GraphError as error:
        raise GraphError(f"node '{node}': {error}") from error
    return {"jobInputType": "literal", "value": value.value}


def _written(platform: Platform, workspace_id: str, name: str, value: Literal | Data) -> Json:
    """Return an input as ARM writes it; AzureError when it names nothing that exists."""
    if isinstance(value, Literal):
        return {"jobInputType": "literal", "value": value.value}
    kind = "models" if value.type in _MODEL_TYPES else "data"
    uri = value.uri
    try:
        if not references.is_data(uri):
            uri = references.asset(platform, workspace_id, uri, kind).id
        references.location(platform, workspace_id, uri, kind)
    except AzureError as error:
        raise AzureError(error.status, error.code, f"Input '{name}': {error.message}") from error
    return {"jobInputType": value.type, "uri": f"azureml:{uri}" if uri.startswith("/") else uri}


def _compute(platform: Platform, workspace_id: str, reference: str | None, resources: Json | None) -> Json:
    if not reference or reference.lower() == "serverless":
        return {"computeId": None}
    document = references.compute(platform, workspace_id, reference)
    nodes = int((resources or {}).get("instanceCount") or (resources or {}).get("instance_count") or 1)
    most = most_nodes(document.body)
    if nodes > most:
        raise _refusal(f"the job asks for {nodes} nodes and compute '{document.body['name']}' has at most {most}")
    return {"computeId": document.id}


def most_nodes(compute: Json) -> int:
    """Return how many nodes a compute can have."""
    inner = compute["properties"].get("properties") or {}
    return int((inner.get("scaleSettings") or {}).get("maxNodeCount") or 1)


def seconds(duration: str) -> float:
    """Return the length of an ISO 8601 duration; AzureError 400 when it is none."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise _refusal(f"'{duration}' is no ISO 8601 duration such as PT1H30M")
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def output_uri(name: str, output: str, declared: Mapping[str, Any]) -> str:
    """Return where a job's output goes: its own `uri`, or the place that Azure ML gives it by default."""
    uri = declared.get("uri")
    if uri:
        return _named(str(uri), name, output)
    end = "" if declared.get("jobOutputType") == "uri_file" else "/"
    return f"azureml://datastores/workspaceblobstore/paths/azureml/{name}/{output}{end}"


def _named(uri: str, job: str, output: str) -> str:
    return uri.replace("${{name}}", job).replace("${{output_name}}", output)


def _merge_output(target: Json, given: Json) -> None:
    for wire, name in (
        ("uri", "uri"),
        ("path", "uri"),
        ("mode", "mode"),
        ("assetName", "assetName"),
        ("name", "assetName"),
    ):
        if given.get(wire):
            target[name] = given[wire]
    for wire in ("assetVersion", "version"):
        if given.get(wire):
            target["assetVersion"] = str(given[wire])


def _guard(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except GraphError as error:
        raise _refusal(str(error)) from error


def _refusal(message: str) -> AzureError:
    return AzureError(400, "UserError", message[0].upper() + message[1:] + ("" if message.endswith(".") else "."))
