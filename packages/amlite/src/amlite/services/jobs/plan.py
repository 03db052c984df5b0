"""Resolve a job's references, inputs and outputs, at its submission and again when it runs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from amlite.core import durations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import graph
from amlite.services.jobs.graph import Data, GraphError, Literal
from amlite.services.kubernetesconfiguration import extensions
from amlite.services.machinelearning import assets, references

_P = ParamSpec("_P")
_T = TypeVar("_T")
_OUTPUT_NAME = re.compile(r"[A-Za-z0-9_][\w-]{0,254}")
DEFAULT_DATASTORE = "workspaceblobstore"
_DEFAULT_PATH = "azureml://datastores/${{default_datastore}}/paths/azureml/${{name}}/${{output_name}}"
_EXPRESSION = re.compile(r"\$\{\{\s*(name|output_name|default_datastore)\s*\}\}")
_MODEL_TYPES = ("mlflow_model", "custom_model", "triton_model", "safe_model")


def resolved(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Return a job's properties with environment, code and compute as ARM ids, and everything else checked."""
    resolved = _assets(platform, workspace_id, properties)
    if trial := properties.get("trial"):
        resolved["trial"] = _assets(platform, workspace_id, trial)
    resources = (properties.get("trial") or properties).get("resources")
    resolved |= _compute(platform, workspace_id, properties.get("computeId"), resources)
    for name, output in (properties.get("outputs") or {}).items():
        check_output(name, output or {})
    limits = properties.get("limits") or {}
    for name in ("timeout", "trialTimeout"):
        if limits.get(name) and seconds(limits[name]) <= 0:
            raise refusal(f"limits.{name} is '{limits[name]}' and must be longer than 0 seconds")
    return resolved


def _assets(platform: Platform, workspace_id: str, properties: Json) -> Json:
    kinds = {"environmentId": "environments", "codeId": "codes"}
    found = {name: references.asset(platform, workspace_id, properties[name], kind).id
             for name, kind in kinds.items() if properties.get(name)}  # fmt: skip
    return {**properties, **found}


def written(platform: Platform, workspace_id: str, name: str, value: Literal | Data) -> Json:
    """Return an input in ARM's form. AzureError if it refers to nothing."""
    if isinstance(value, Literal):
        return {"jobInputType": "literal", "value": value.value}
    kind = "models" if value.type in _MODEL_TYPES else "data"
    uri = value.uri
    try:
        if not references.is_data(uri) and not references.is_elsewhere(uri):
            uri = references.asset(platform, workspace_id, uri, kind).id
        with contextlib.suppress(references.ElsewhereError):  # only a job that reads it fails
            references.location(platform, workspace_id, uri, kind)
    except AzureError as error:
        raise AzureError(error.status, error.code, f"Input '{name}': {error.message}") from error
    return {"jobInputType": value.type, "uri": f"azureml:{uri}" if uri.startswith("/") else uri}


def _compute(platform: Platform, workspace_id: str, reference: str | None, resources: Json | None) -> Json:
    if not reference or references.is_serverless(reference):
        return {"computeId": None}
    document = references.compute(platform, workspace_id, reference)
    extension = extensions.workloads(platform, document.body)
    if extension is not None and not extension.training:
        # The text of "Job failed. E45004" in how-to-troubleshoot-kubernetes-compute.
        raise refusal(
            'Azure Machine Learning Kubernetes job failed. E45004:"Training feature is not enabled, please enable it '
            'when install the extension."'
        )
    nodes = instance_count(resources)
    most = most_nodes(document.body)
    if nodes > most:
        raise refusal(f"the job asks for {nodes} nodes and compute '{document.body['name']}' has at most {most}")
    return {"computeId": document.id}


def instance_count(resources: Json | None) -> int:
    """Return the number of nodes that a job asks for. azure-ai-ml sends an AutoML job's by the name in its file."""
    given = resources or {}
    return int(given.get("instanceCount") or given.get("instance_count") or 1)


def most_nodes(compute: Json) -> int:
    """Return the maximum number of nodes of a compute."""
    inner = compute["properties"].get("properties") or {}
    return int((inner.get("scaleSettings") or {}).get("maxNodeCount") or 1)


def seconds(duration: str) -> float:
    """Return the length of an ISO 8601 duration. AzureError 400 for an invalid one."""
    found = durations.parse(duration)
    if found is None:
        raise refusal(f"'{duration}' is not an ISO 8601 duration such as PT1H30M")
    return found.total_seconds()


def check_name(output: str) -> None:
    """Raise AzureError 400 for a name of an output that cannot be a folder's name."""
    if _OUTPUT_NAME.fullmatch(output) is None:
        raise AzureError(
            400,
            "UserError",
            f"The output name '{output[:300]}' is invalid: letters, digits, underscores and hyphens only.",
        )


def check_output(output: str, declared: Mapping[str, Any]) -> None:
    """Raise AzureError 400 for an output with a `uri` at which nothing can be written, or with a wrong asset name."""
    if name := declared.get("assetName"):
        assets.check_name("data", str(name))
    uri = declared.get("uri")
    if not uri:
        return
    place = _named(str(uri), "job", "output")
    if "${{" in place:
        raise refusal(
            f"output '{output}' has the path '{uri}', and the path of an output has the expressions "
            "${{default_datastore}}, ${{name}} and ${{output_name}} only"
        )
    if not references.is_data(place):
        raise refusal(f"output '{output}' has the uri '{uri}', which is not a datastore path")


def output_uri(name: str, output: str, declared: Mapping[str, Any], datastore: str = DEFAULT_DATASTORE) -> str:
    """Return the URI of a job's output: its own `uri`, or Azure ML's default. `datastore` is the default one.

    Source of the expressions: "Manage inputs and outputs of components and pipelines", the path of an output.
    """
    check_name(output)
    end = "" if declared.get("jobOutputType") in graph.FILE_TYPES else "/"
    uri = str(declared.get("uri") or _DEFAULT_PATH + end)
    return _named(uri, name, output, datastore)


def in_datastore(declared: Json, datastore: str) -> None:
    """Put an output into a pipeline's default datastore, unless its own `uri` names another."""
    if datastore != DEFAULT_DATASTORE:
        declared["uri"] = _named(str(declared.get("uri") or _DEFAULT_PATH), "${{name}}", "${{output_name}}", datastore)


def _named(uri: str, job: str, output: str, datastore: str = DEFAULT_DATASTORE) -> str:
    values = {"name": job, "output_name": output, "default_datastore": datastore}
    return _EXPRESSION.sub(lambda found: values[found[1]], uri)


def merge_output(target: Json, given: Json) -> None:
    """Add the location that a node or pipeline sets to an output, in any spelling."""
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


def guard(function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Call a function, and turn an error in the graph into an AzureError."""
    try:
        return function(*arguments, **named)
    except GraphError as error:
        raise refusal(str(error)) from error


def refusal(message: str) -> AzureError:
    """Return the error for a job that cannot run."""
    return AzureError(400, "UserError", message[0].upper() + message[1:] + ("" if message.endswith(".") else "."))
