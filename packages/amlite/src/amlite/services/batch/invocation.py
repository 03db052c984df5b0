"""Invocations: how one becomes a pipeline job, and how the endpoint shows that job."""

from __future__ import annotations

import math
import re
from typing import Any

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.batch import components, settings
from amlite.services.jobs import documents, graph, plan, submission
from amlite.services.jobs.documents import Job
from amlite.services.machinelearning import references
from amlite.services.machinelearning.endpoints import BATCH_TYPE
from amlite.services.storage.blobs import BlobPath

JOB_TYPE = f"{BATCH_TYPE}/jobs"
STEP = "batchscoring"
_ENDPOINT, _DEPLOYMENT = "azureml.endpointname", "azureml.deploymentname"
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_DATA = ("uri_file", "uri_folder")
_EARLIER_OUTPUT = "output_name"  # azure-ai-ml's name for an output with a datastore and a path


async def begin(
    platform: Platform, endpoint: Json, deployment: Json, name: str, request: Json, principal: Principal
) -> Job:
    """Start a job of a deployment and return it. `request` is the invocation. Raises AzureError if it cannot run."""
    properties = request.get("properties")
    if not isinstance(properties, dict):
        raise _refusal("properties: the invocation must be an object with properties.")
    workspace_id = endpoint["id"].rsplit("/", 2)[0]
    inputs = {key: _input(key, given) for key, given in _object(properties, "inputData").items()}
    outputs = {key: _output(key, given) for key, given in _object(properties, "outputData").items()}
    build = _component_job if settings.is_pipeline(deployment) else _model_job
    job = build(platform, workspace_id, deployment, properties, inputs, outputs)
    job |= {
        "jobType": "Pipeline",
        "experimentName": _object(properties, "properties").get("experimentName") or endpoint["name"],
        "properties": {_ENDPOINT: endpoint["name"], _DEPLOYMENT: deployment["name"]},
        **{key: properties[key] for key in ("description", "tags", "displayName") if properties.get(key)},
    }
    await submission.submit(platform, workspace_id, name, {"properties": job}, principal)
    return documents.get(platform, workspace_id, name)


def of(platform: Platform, endpoint: Json, deployment: str | None = None) -> list[Job]:
    """Return an endpoint's jobs, or only those of one deployment, newest first."""
    found = []
    for job in documents.every(platform, endpoint["id"].rsplit("/", 2)[0]):
        marks = job.properties.get("properties") or {}
        if str(marks.get(_ENDPOINT)).lower() == endpoint["name"].lower() and (
            deployment is None or str(marks.get(_DEPLOYMENT)).lower() == deployment.lower()
        ):
            found.append(job)
    return found[::-1]


def shown(endpoint: Json, job: Job) -> Json:
    """Return a job as its endpoint shows it."""
    properties = job.properties
    return {
        "id": f"{endpoint['id']}/jobs/{job.name}",
        "name": job.name,
        "type": JOB_TYPE,
        "properties": {
            "status": job.status,
            "displayName": properties.get("displayName"),
            "description": properties.get("description"),
            "tags": properties.get("tags") or {},
            "properties": properties.get("properties") or {},
            "inputData": properties.get("inputs") or {},
            "outputData": {key: given for key, given in properties["outputs"].items() if key != "default"},
            "interactionEndpoints": {
                key: {"jobEndpointType": key, "endpoint": given["endpoint"]}
                for key, given in properties["services"].items()
            },
        },
        "systemData": job.body["systemData"],
    }


def _model_job(
    platform: Platform, workspace_id: str, deployment: Json, properties: Json, inputs: Json, outputs: Json
) -> Json:
    """Return the one-step pipeline that scores the files of one input."""
    made = components.provisioned(platform, deployment)
    found = settings.overridden(deployment["properties"], properties)
    if len(inputs) != 1 or next(iter(inputs.values()))["jobInputType"] not in _DATA:
        given = ", ".join(f"{key} ({value['jobInputType']})" for key, value in inputs.items()) or "none"
        raise _refusal(
            f"properties.inputData: a deployment of a model takes one input of type UriFolder or UriFile, got: {given}."
        )
    score, file_name = _score(outputs, found["outputFileName"])
    retries = found["retrySettings"]
    appended = {"append_row_to": "${{outputs.score}}", "append_row_file_name": file_name}
    node = {
        "type": "parallel",
        "componentId": made["component"],
        "computeId": found["compute"],
        "display_name": STEP,
        "resources": {"instance_count": int(found["resources"]["instanceCount"])},
        "max_concurrency_per_instance": found["maxConcurrencyPerInstance"],
        "mini_batch_size": str(found["miniBatchSize"]),
        "error_threshold": found["errorThreshold"],
        "retry_settings": {
            "max_retries": retries["maxRetries"],
            "timeout": math.ceil(plan.seconds(retries["timeout"])),
        },
        "task": appended if found["outputAction"] == "AppendRow" else {},
        "inputs": {
            "data": _bound(f"inputs.{next(iter(inputs))}"),
            "model": {"job_input_type": "custom_model", "uri": made["model"]},
        },
        "outputs": {"score": _bound("outputs.score")},
    }
    return {"inputs": inputs, "outputs": {"score": score}, "jobs": {STEP: node}}


def _score(outputs: Json, file_name: str) -> tuple[Json, str]:
    """Return the output `score`, which is a folder, and the name of the file in it. A file's path contains both."""
    unknown = [key for key in outputs if key not in ("score", _EARLIER_OUTPUT)]
    if unknown:
        raise _refusal(f"properties.outputData: a deployment of a model writes 'score', not '{unknown[0]}'.")
    given = outputs.get("score") or outputs.get(_EARLIER_OUTPUT) or {"jobOutputType": "uri_folder"}
    if given["jobOutputType"] == "uri_file" and given.get("uri"):
        folder, _, file_name = str(given["uri"]).rstrip("/").rpartition("/")
        if not (references.is_data(folder) or BlobPath.parse(folder)):
            raise _refusal(f"properties.outputData.score: '{given['uri']}' is not the path of a file in a datastore.")
        given = {**given, "uri": folder}
    return {**given, "jobOutputType": "uri_folder"}, file_name


def _component_job(
    platform: Platform, workspace_id: str, deployment: Json, _properties: Json, inputs: Json, outputs: Json
) -> Json:
    """Return the pipeline of a pipeline component, with the inputs and outputs of this invocation."""
    configuration = deployment["properties"]["deploymentConfiguration"]
    component = references.asset(platform, workspace_id, configuration["componentId"]["assetId"], "components")
    spec = component.body["properties"]["componentSpec"]
    given, missing = _given(inputs, spec.get("inputs") or {})
    declared = spec.get("outputs") or {}
    if unknown := [key for key in outputs if key not in declared]:
        raise _refusal(f"properties.outputData: the component has no output '{unknown[0]}', only: {_listed(declared)}.")
    written = {
        key: {"jobOutputType": graph.port(declaration), **outputs.get(key, {})} for key, declaration in declared.items()
    }
    return {
        "inputs": given,
        "outputs": written,
        "settings": _settings(configuration["settings"]),
        "jobs": {key: _without(node, missing) for key, node in (spec.get("jobs") or {}).items()},
    }


def _given(inputs: Json, declared: Json) -> tuple[Json, set[str]]:
    """Return a value for each declared input, and the names of optional inputs without one. Raises AzureError 400."""
    if unknown := [key for key in inputs if key not in declared]:
        raise _refusal(f"properties.inputData: the component has no input '{unknown[0]}', only: {_listed(declared)}.")
    given, missing = {}, set()
    for key, declaration in declared.items():
        kind = graph.port(declaration, "string")
        if key in inputs:
            if (kind in graph.PATH_TYPES) is (inputs[key]["jobInputType"] == "literal"):
                got = inputs[key]["jobInputType"]
                raise _refusal(f"properties.inputData.{key}: the component's input is a {kind}, not a {got}.")
            given[key] = inputs[key]
        elif declaration.get("default") is not None:
            given[key] = {"jobInputType": "literal", "value": str(declaration["default"])}
        elif str(declaration.get("optional", "")).lower() == "true":
            missing.add(key)
        else:
            raise _refusal(f"properties.inputData: the required input '{key}' ({kind}) is missing.")
    return given, missing


def _without(node: Json, missing: set[str]) -> Json:
    """Return a node without the inputs that are bound to pipeline inputs without a value."""
    if not missing:
        return node
    bindings = {f"${{{{parent.inputs.{key}}}}}" for key in missing}
    kept = {
        key: given
        for key, given in (node.get("inputs") or {}).items()
        if str(given.get("value") if isinstance(given, dict) else given) not in bindings
    }
    return {**node, "inputs": kept}


def _settings(given: Json) -> Json:
    """Return a deployment's settings as in a pipeline job. They are given as text, and names may have a prefix."""
    found: Json = {}
    for name, value in given.items():
        key = name.rpartition(".")[2]
        found[key] = value.lower() == "true" if value.lower() in ("true", "false") else value
    return found


def _input(key: str, given: Any) -> Json:
    if _NAME.fullmatch(key) is None or not isinstance(given, dict):
        raise _refusal(f"properties.inputData.{key}: inputs are objects with names of letters, digits, '_' and '-'.")
    kind = settings.kind(given.get("jobInputType"))
    if kind == "literal":
        if given.get("value") is None:
            raise _refusal(f"properties.inputData.{key}.value: a literal needs a value.")
        return {"jobInputType": kind, "value": str(given["value"])}
    if kind not in graph.PATH_TYPES:
        raise _refusal(
            f"properties.inputData.{key}.jobInputType: {given.get('jobInputType')!r} is not a valid type; "
            f"use one of literal, {', '.join(graph.PATH_TYPES)}."
        )
    if not given.get("uri"):
        raise _refusal(f"properties.inputData.{key}.uri: name the data.")
    return {"jobInputType": kind, "uri": str(given["uri"])}


def _output(key: str, given: Any) -> Json:
    if not isinstance(given, dict):
        raise _refusal(f"properties.outputData.{key}: outputs are objects.")
    kind = settings.kind(given.get("jobOutputType") or "uri_folder")
    if kind not in graph.PATH_TYPES:
        raise _refusal(
            f"properties.outputData.{key}.jobOutputType: {given['jobOutputType']!r} is not a valid type; "
            f"use one of {', '.join(graph.PATH_TYPES)}."
        )
    return {"jobOutputType": kind, **({"uri": str(given["uri"])} if given.get("uri") else {})}


def _object(properties: Json, name: str) -> Json:
    found = properties.get(name) or {}
    if not isinstance(found, dict):
        raise _refusal(f"properties.{name}: must be an object.")
    return found


def _bound(name: str) -> Json:
    return {"job_input_type": "literal", "value": f"${{{{parent.{name}}}}}"}


def _listed(names: Json) -> str:
    return ", ".join(sorted(names)) or "none"


def _refusal(message: str) -> AzureError:
    return AzureError(400, "BadArgument", message)
