"""A pipeline's nodes and their jobs, with every reference resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.jobs import components, flow, graph, kinds, settings
from amlite.services.jobs.documents import LEFT_OUT
from amlite.services.jobs.flow import Condition, DoWhile, Flow, ParallelFor
from amlite.services.jobs.graph import GraphError, JobOutput, Node, StepOutput
from amlite.services.jobs.plan import check_output, guard, in_datastore, merge_output, refusal, resolved, written
from amlite.services.machinelearning import references

_TYPES = {"command": "Command", "pipeline": "Pipeline", "parallel": "Parallel", "sweep": "Sweep", "spark": "Spark",
          "automl": "AutoML"}  # fmt: skip
# The published models say nothing about nodes.
_SHAPE = {
    "type": "str", "componentId": "str", "computeId": "str", "mapping": "map:any",
    "services": "map:map:any", "search_space": "map:map:any",
    **dict.fromkeys(("inputs", "outputs", "resources", "identity", "environment_variables", "limits", "distribution",
                     "objective", "early_termination", "settings", "trial", "conf", "retry_settings"), "map:any"),
}  # fmt: skip


GIVEN = ("inputs", "items", "source")
"""The properties of a step's job with what other steps give to it: its inputs, and the items of a loop."""


@dataclass(frozen=True)
class Step:
    """A node of a pipeline, the properties of its job, and the condition that decides whether it runs.

    A loop is one step. The property `body` of its job has the properties that its iterations share.
    """

    node: Node
    properties: Json
    condition: Condition | None = None


def given(properties: Json) -> Iterator[Json]:
    """Return what other steps can give to a step: its inputs, and the items of a loop or the text that has them."""
    yield properties["inputs"]
    yield from properties.get("items") or ()
    if properties.get("source"):
        yield properties["source"]


def pipeline_job(platform: Platform, workspace_id: str, properties: Json) -> dict[str, Step]:
    """Return a pipeline's steps by node name, in an order in which they can run; AzureError if one cannot run."""
    if wrong := kinds.KINDS["Pipeline"].problems(properties):
        raise refusal("; ".join(wrong))
    jobs = {name: _plain(name, spec) for name, spec in properties["jobs"].items()}
    given = properties.get("inputs") or {}
    inputs = {name: guard(graph.parse_input, name, value) for name, value in given.items()}
    for name, value in inputs.items():
        if not isinstance(value, JobOutput):
            written(platform, workspace_id, name, value)
    left_out = properties.get(LEFT_OUT) or ()
    jobs = {
        name: spec if str(spec.get("type")).lower() in flow.TYPES else graph.settled(spec, inputs, left_out)
        for name, spec in jobs.items()
    }
    control = guard(flow.read, jobs, inputs)
    nodes = guard(graph.parse, control.jobs, inputs, left_out, control.waits())
    settings = properties.get("settings") or {}
    compute = settings.get("default_compute") or settings.get("defaultCompute") or properties.get("computeId")
    steps = {
        name: Step(
            node,
            guard(_step_job, platform, workspace_id, node, control, compute, settings),
            control.conditions.get(name),
        )
        for name, node in nodes.items()
    }
    _bind(steps, properties.get("outputs") or {})
    _use_default_datastore(platform, workspace_id, steps, settings)
    return steps


def of_component(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Return the nodes and inputs of a pipeline that is a registered component. Raises AzureError."""
    component_id, component = guard(components.find, platform, workspace_id, "pipeline", "Pipeline", properties)
    given = properties.get("inputs") or {}
    defaults = {
        name: {"jobInputType": "literal", "value": graph.text(declared["default"])}
        for name, declared in (component.get("inputs") or {}).items()
        if declared.get("default") is not None
    }
    outputs = {
        name: {"jobOutputType": graph.port(declared)} for name, declared in (component.get("outputs") or {}).items()
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
            if isinstance(value, StepOutput):
                wanted = step.properties["inputs"].get(key) or {}  # none if each item of a loop has its own
                _check_source(steps, f"node '{name}', input '{key}'", value, wanted.get("jobInputType"))
        for group in given(step.properties):
            for key, wire in group.items():
                if wire.get("step") in steps:
                    source = StepOutput(wire["step"], wire["output"])
                    _check_source(steps, f"node '{name}', input '{key}'", source, wire["jobInputType"])
        if step.condition and isinstance(step.condition.value, StepOutput):
            _check_source(steps, f"node '{step.condition.name}', condition", step.condition.value, "boolean")
        for key, target in step.node.outputs.items():
            if key not in step.properties["outputs"]:
                raise refusal(f"node '{name}' has no output '{key}'")
            if target not in declared:
                raise refusal(f"node '{name}', output '{key}': the pipeline has no output '{target}'")
            if declared[target]:
                check_output(target, declared[target])
                merge_output(step.properties["outputs"][key], declared[target])


def _check_source(steps: dict[str, Step], where: str, source: StepOutput, wanted: str | None) -> None:
    """Check that a node has an output, and one that gives a value if a value is wanted."""
    made = steps[source.step].properties["outputs"]
    if source.output not in made:
        known = ", ".join(sorted(made)) or "none"
        raise refusal(f"{where}: node '{source.step}' has no output '{source.output}', only: {known}")
    kind = made[source.output]["jobOutputType"]
    if kind in graph.CONTROL_TYPES and steps[source.step].properties["jobType"] == "ParallelFor":
        raise refusal(
            f"{where}: the output '{source.output}' of '{source.step}' is a text with the values of all items, whose "
            "form Azure does not document; write the values into a uri_file or uri_folder"
        )
    if wanted in graph.CONTROL_TYPES and (kind not in graph.CONTROL_TYPES or (wanted == "boolean" != kind)):
        raise refusal(f"{where}: a {wanted} is wanted, and the output '{source.output}' of '{source.step}' is a {kind}")


def _use_default_datastore(platform: Platform, workspace_id: str, steps: dict[str, Step], settings: Json) -> None:
    given = settings.get("default_datastore") or settings.get("defaultDatastore")
    if not given:
        return
    datastore = str(references.datastore(platform, workspace_id, given).body["name"])
    for step in steps.values():
        body = step.properties.get("body")
        # The outputs of `do_while` are those of its body.
        for job in [body] if step.properties["jobType"] == "DoWhile" else [body, step.properties]:
            if job is None:
                continue
            nested = job["jobType"] == "Pipeline"
            if nested:
                job["settings"].setdefault("default_datastore", datastore)
            for output in job["outputs"].values():
                if output.get("uri") or not nested:
                    in_datastore(output, datastore)


def _plain(name: str, spec: Json) -> Json:
    """Return a node in the form of the others; AzureError if it is none."""
    shape = fields({"node": spec}, {"node": "map:any"}, lambda told: refusal(f"'{name}' is no node: {told}"))["node"]
    shape = fields(shape, _SHAPE, lambda told: refusal(f"node '{name}': {told}"))
    return kinds.automl.data_of(shape) if str(shape.get("type")).lower() == "automl" else shape


def _step_job(
    platform: Platform, workspace_id: str, node: Node, control: Flow, default_compute: str | None, settings: Json
) -> Json:
    """Return the job of a node or loop."""
    loop = control.loops.get(node.name)
    if loop is None:
        return _node_job(platform, workspace_id, node, control.jobs[node.name], default_compute)
    try:
        if isinstance(loop, DoWhile):
            return _do_while(_node_job(platform, workspace_id, node, control.jobs[node.name], default_compute),
                             loop, _declared(platform, workspace_id, node.name, control.jobs[node.name]))  # fmt: skip
        return _parallel_for(platform, workspace_id, node, loop, control, default_compute) | {"settings": settings}
    except GraphError as error:
        raise GraphError(f"node '{loop.name}': {error}") from error


def _declared(platform: Platform, workspace_id: str, name: str, spec: Json) -> Json:
    """Return the inputs that a loop's body declares."""
    kind = _TYPES[str(spec.get("type", "command")).lower()]
    return dict(components.find(platform, workspace_id, name, kind, spec)[1].get("inputs") or {})


def _loop(kind: str, name: str, body: Json) -> Json:
    shared: Json = {key: body[key] for key in ("computeId", "identity") if key in body}
    return {**shared, "jobType": kind, "displayName": name, "body": body}


def _do_while(body: Json, loop: DoWhile, declared: Json) -> Json:
    inputs, outputs = body.pop("inputs"), body["outputs"]
    mapping = {}
    for name, output in loop.mapping.items():
        if name not in declared:
            raise GraphError(f"mapping: the body has no input '{name}', only: {', '.join(sorted(declared)) or 'none'}")
        kind = graph.port(declared[name], "string")
        mapping[name] = {"jobInputType": kind, "output": output}
        if mode := graph.mode(declared[name]):
            mapping[name]["mode"] = mode
    for output in [*loop.mapping.values(), *([loop.condition] if loop.condition else ())]:
        if output not in outputs:
            raise GraphError(f"the body has no output '{output}', only: {', '.join(sorted(outputs)) or 'none'}")
    for name, wire in mapping.items():
        made = outputs[wire["output"]]["jobOutputType"]
        if wire["jobInputType"] in graph.CONTROL_TYPES and made not in graph.CONTROL_TYPES:
            raise GraphError(f"mapping: input '{name}' is a {wire['jobInputType']} and '{wire['output']}' a {made}")
    if loop.condition and outputs[loop.condition]["jobOutputType"] != "boolean":
        kind = outputs[loop.condition]["jobOutputType"]
        raise GraphError(f"the condition must be a boolean output of the body, and '{loop.condition}' is a {kind}")
    own = {"inputs": inputs, "outputs": outputs, "mapping": mapping, "condition": loop.condition, "most": loop.most}
    return {**_loop("DoWhile", body["displayName"], body), **own}


def _parallel_for(
    platform: Platform, workspace_id: str, node: Node, loop: ParallelFor, control: Flow, default_compute: str | None
) -> Json:
    spec = control.bodies[node.name]
    own: Json = {"inputs": {}, "width": loop.width}
    if isinstance(loop.items, list):
        first = replace(node, inputs={**node.inputs, **loop.items[0]})
        body = _node_job(platform, workspace_id, first, spec, default_compute)
        shared, declared = body.pop("inputs"), _declared(platform, workspace_id, node.name, spec)
        own["items"] = [
            shared
            | components.inputs_of(
                platform, workspace_id, Node(node.name, item), {}, node.name, declared, shared.keys()
            )
            for item in loop.items
        ]
    else:  # only a run has the items: any of them may give what the body lacks
        declared = _declared(platform, workspace_id, node.name, spec)
        lacking = dict.fromkeys(declared.keys() - node.inputs.keys(), loop.items)
        inputs = {**lacking, **node.inputs}
        body = _node_job(platform, workspace_id, replace(node, inputs=inputs), spec, default_compute)
        known = body.pop("inputs")
        own["inputs"] = {name: value for name, value in known.items() if name not in lacking}
        source = components.input_of(platform, workspace_id, node.name, "items", loop.items, {"type": "string"})
        own["source"] = {"items": source}
    outputs: Json = {
        name: {"jobOutputType": "string" if output["jobOutputType"] in graph.CONTROL_TYPES else "mltable"}
        for name, output in body["outputs"].items()
    }
    for name, place in (control.jobs[node.name].get("outputs") or {}).items():
        if name in outputs and isinstance(place, dict):
            merge_output(outputs[name], place)
    return {**_loop("ParallelFor", node.name, body), **own, "outputs": outputs}


def items(platform: Platform, workspace_id: str, properties: Json) -> list[Json]:
    """Return the inputs of each iteration of a `parallel_for` whose items its run has got. Raises AzureError."""
    return guard(_items, platform, workspace_id, properties)


def _items(platform: Platform, workspace_id: str, properties: Json) -> list[Json]:
    name, kind = properties["displayName"], properties["body"]["jobType"].lower()
    spec = {"type": kind, "componentId": properties["body"]["componentId"]}
    declared = _declared(platform, workspace_id, name, spec)
    found = []
    for item in flow.listed(properties["source"]["items"]["value"]):
        values = {key: flow.literal(key, value) for key, value in item.items()}
        node = Node(name, values)
        found.append(
            properties["inputs"]
            | components.inputs_of(platform, workspace_id, node, {}, name, declared, given=properties["inputs"].keys())
        )
    return found


def _node_job(platform: Platform, workspace_id: str, node: Node, spec: Json, default_compute: str | None) -> Json:
    kind = _TYPES.get(str(spec.get("type", "command")).lower())
    if kind is None:
        known = ", ".join(_TYPES)
        raise GraphError(f"node '{node.name}' is of type '{spec['type']}'; this local Azure runs nodes of: {known}")
    component_id, component = components.find(platform, workspace_id, node.name, kind, spec)
    declared = component.get("inputs") or {}
    if searched := spec.get("search_space"):
        for name in searched:
            if name not in declared:
                raise GraphError(
                    f"node '{node.name}': search_space has '{name}', which is not an input of the component"
                )
        declared = {name: declaration for name, declaration in declared.items() if name not in searched}
    inputs = components.inputs_of(platform, workspace_id, node, spec, str(component.get("name")), declared)
    outputs = {
        name: {
            "jobOutputType": graph.port(declaration),
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
