"""A pipeline's nodes and their jobs, with every reference resolved."""

from __future__ import annotations

from dataclasses import dataclass

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import graph, kinds, settings
from amlite.services.jobs.documents import LEFT_OUT
from amlite.services.jobs.graph import Data, GraphError, Input, JobOutput, Literal, Node, StepOutput
from amlite.services.jobs.plan import guard, in_datastore, merge_output, refusal, resolved, written
from amlite.services.machinelearning import references

_TYPES = {"command": "Command", "pipeline": "Pipeline", "parallel": "Parallel", "sweep": "Sweep", "spark": "Spark",
          "automl": "AutoML"}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A node of a pipeline and the properties of its job."""

    node: Node
    properties: Json


def pipeline_job(platform: Platform, workspace_id: str, properties: Json) -> dict[str, Step]:
    """Return a pipeline's steps by node name, in an order in which they can run; AzureError if one cannot run."""
    if wrong := kinds.KINDS["Pipeline"].problems(properties):
        raise refusal("; ".join(wrong))
    jobs = {name: _plain(spec) for name, spec in properties["jobs"].items()}
    given = properties.get("inputs") or {}
    inputs = {name: guard(graph.parse_input, name, value) for name, value in given.items()}
    for name, value in inputs.items():
        if not isinstance(value, JobOutput):
            written(platform, workspace_id, name, value)
    nodes = guard(graph.parse, jobs, inputs, properties.get(LEFT_OUT) or ())
    settings = properties.get("settings") or {}
    compute = settings.get("default_compute") or settings.get("defaultCompute") or properties.get("computeId")
    steps = {
        name: Step(node, guard(_node_job, platform, workspace_id, node, jobs[name], compute))
        for name, node in nodes.items()
    }
    _bind(steps, properties.get("outputs") or {})
    _use_default_datastore(platform, workspace_id, steps, settings)
    return steps


def of_component(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Return the nodes and inputs of a pipeline that is a registered component. Raises AzureError."""
    component_id, component = guard(_component, platform, workspace_id, "pipeline", "Pipeline", properties)
    given = properties.get("inputs") or {}
    defaults = {
        name: {"jobInputType": "literal", "value": graph.text(declared["default"])}
        for name, declared in (component.get("inputs") or {}).items()
        if declared.get("default") is not None
    }
    outputs = {
        name: {"jobOutputType": declared.get("type", "uri_folder")}
        for name, declared in (component.get("outputs") or {}).items()
    }
    return {
        "componentId": component_id,
        "jobs": component.get("jobs") or {},
        "inputs": {**defaults, **given},
        LEFT_OUT: sorted((component.get("inputs") or {}).keys() - given.keys() - defaults.keys()),
        "outputs": {**outputs, **(properties.get("outputs") or {})},
    }


def _bind(steps: dict[str, Step], declared: Json) -> None:
    """Check the bindings between steps, and give outputs the locations that the pipeline sets."""
    for name, step in steps.items():
        for key, value in step.node.inputs.items():
            if isinstance(value, StepOutput) and value.output not in steps[value.step].properties["outputs"]:
                known = ", ".join(sorted(steps[value.step].properties["outputs"])) or "none"
                raise refusal(
                    f"node '{name}', input '{key}': node '{value.step}' has no output '{value.output}', only: {known}"
                )
        for key, target in step.node.outputs.items():
            if key not in step.properties["outputs"]:
                raise refusal(f"node '{name}' has no output '{key}'")
            if target not in declared:
                raise refusal(f"node '{name}', output '{key}': the pipeline has no output '{target}'")
            if declared[target]:
                merge_output(step.properties["outputs"][key], declared[target])


def _use_default_datastore(platform: Platform, workspace_id: str, steps: dict[str, Step], settings: Json) -> None:
    given = settings.get("default_datastore") or settings.get("defaultDatastore")
    if not given:
        return
    datastore = str(references.datastore(platform, workspace_id, given).body["name"])
    for step in steps.values():
        nested = step.properties["jobType"] == "Pipeline"
        if nested:
            step.properties["settings"].setdefault("default_datastore", datastore)
        for output in step.properties["outputs"].values():
            if output.get("uri") or not nested:
                in_datastore(output, datastore)


def _plain(spec: Json) -> Json:
    return kinds.automl.data_of(spec) if str(spec.get("type")).lower() == "automl" else spec


def _node_job(platform: Platform, workspace_id: str, node: Node, spec: Json, default_compute: str | None) -> Json:
    kind = _TYPES.get(str(spec.get("type", "command")).lower())
    if kind is None:
        known = ", ".join(_TYPES)
        raise GraphError(f"node '{node.name}' is of type '{spec['type']}'; this local Azure runs nodes of: {known}")
    component_id, component = _component(platform, workspace_id, node.name, kind, spec)
    declared = component.get("inputs") or {}
    if searched := spec.get("search_space"):
        for name in searched:
            if name not in declared:
                raise GraphError(
                    f"node '{node.name}': search_space has '{name}', which is not an input of the component"
                )
        declared = {name: declaration for name, declaration in declared.items() if name not in searched}
    inputs = _node_inputs(platform, workspace_id, node, spec, str(component.get("name")), declared)
    outputs = {
        name: {
            "jobOutputType": declaration.get("type", "uri_folder"),
            **({"mode": mode} if (mode := graph.mode(declaration)) else {}),
        }
        for name, declaration in (component.get("outputs") or {}).items()
    }
    for name, given in (spec.get("outputs") or {}).items():
        if name in outputs and isinstance(given, dict):
            merge_output(outputs[name], given)
    resources = graph.in_models(spec.get("resources") or component.get("resources"))
    identity = graph.in_models(spec.get("identity") or component.get("identity"))
    variables = {**(component.get("environment_variables") or {}), **(spec.get("environment_variables") or {})}
    job: Json = {
        "jobType": kind,
        # Spark is serverless, unless a node names its pool.
        "computeId": spec.get("computeId") or spec.get("compute") or (None if kind == "Spark" else default_compute),
        "displayName": spec.get("display_name") or node.name,
        "inputs": inputs,
        "outputs": outputs,
        **({"componentId": component_id} if component_id else {}),
        **({"environmentVariables": variables} if variables else {}),
        **({"resources": resources} if resources else {}),
        **({"identity": identity} if identity else {}),
        **({"limits": graph.in_models(spec["limits"])} if spec.get("limits") else {}),
        **(
            {"services": {name: graph.in_models(given) for name, given in spec["services"].items()}}
            if spec.get("services")
            else {}
        ),
    }
    try:
        job |= kinds.KINDS[kind].from_node(component, spec)
    except ValueError as error:
        raise GraphError(f"node '{node.name}': {error}") from error
    if wrong := [*settings.problems(job), *kinds.KINDS[kind].problems(job)]:
        raise GraphError(f"node '{node.name}': {'; '.join(wrong)}")
    if kind == "Pipeline":
        job[LEFT_OUT] = sorted(declared.keys() - inputs.keys())
        job["settings"].setdefault("default_compute", job.pop("computeId"))
        pipeline_job(platform, workspace_id, job)
        return job
    return {**resolved(platform, workspace_id, job), "inputs": inputs}


def _component(platform: Platform, workspace_id: str, node: str, kind: str, spec: Json) -> tuple[str | None, Json]:
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


def _node_inputs(platform: Platform, workspace_id: str, node: Node, spec: Json, component: str, declared: Json) -> Json:
    for name in node.inputs:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise GraphError(f"node '{node.name}': component '{component}' has no input '{name}', only: {known}")
    inputs: Json = {}
    modes = spec.get("inputs") or {}
    for name, declaration in declared.items():
        value = node.inputs.get(name)
        if value is None and declaration.get("default") is not None:
            value = Literal(graph.text(declaration["default"]))
        if value is not None:
            inputs[name] = _node_input(platform, workspace_id, node.name, name, value, declaration)
            if mode := graph.mode(modes.get(name)) or graph.mode(declaration):
                inputs[name]["mode"] = mode
        elif str(declaration.get("optional", "")).lower() != "true":
            raise GraphError(f"node '{node.name}': the required input '{name}' has no value")
    return inputs


def _node_input(platform: Platform, workspace_id: str, node: str, name: str, value: Input, declaration: Json) -> Json:
    kind = str(declaration.get("type", "string")).lower()
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
