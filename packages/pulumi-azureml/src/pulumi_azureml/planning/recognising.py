"""What a YAML file defines: judged by its `$schema`, and without one that is known by its keys.

`az ml` needs no such rule, because its user says it: `az ml component create`. The names of the schemas are those in
Microsoft's reference of the CLI (v2) YAML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_azureml.planning import control_flow
from pulumi_azureml.planning.drafts import DEFAULT_DATASTORES

# The last part of a `$schema`, without its ending and in lower case → the kind.
_SCHEMAS: Mapping[str, str] = {
    "commandcomponent": "component",
    "parallelcomponent": "component",
    "pipelinecomponent": "component",
    "sparkcomponent": "component",
    "environment": "environment",
    "data": "data",
    "model": "model",
    "deploymenttemplate": "deployment_template",
    "azureblob": "datastore",
    "azurefile": "datastore",
    "azuredatalakegen2": "datastore",
    "pipelinejob": "pipeline_job",
    "commandjob": "pipeline_job",
    "sweepjob": "pipeline_job",
    "sparkjob": "pipeline_job",
    "automljob": "pipeline_job",
    "schedule": "schedule",
    "jobschedule": "schedule",
    "monitorschedule": "schedule",
    "onlineendpoint": "online_endpoint",
    "managedonlineendpoint": "online_endpoint",
    "kubernetesonlineendpoint": "online_endpoint",
    "onlinedeployment": "online_deployment",
    "managedonlinedeployment": "online_deployment",
    "kubernetesonlinedeployment": "online_deployment",
    "batchendpoint": "batch_endpoint",
    "batchdeployment": "batch_deployment",
    "modelbatchdeployment": "batch_deployment",
    "pipelinecomponentbatchdeployment": "batch_deployment",
}
_PLATFORM = "the platform's configuration has it"
_BY_HAND = "this package does not manage it"
# What `az ml` takes besides: the same part of a `$schema`, as a pattern → what it is and why it stays with `az ml`.
_LEFT: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), what, why)
    for pattern, what, why in (
        (r".*compute(instance)?|computeinstance", "a compute target", _PLATFORM),
        (r"workspace|hub|project", "a workspace", _PLATFORM),
        (r"registry", "a registry", _PLATFORM),
        (r"(workspace)?connection", "a connection, which holds a secret", _BY_HAND),
        (r"azuredatalakegen1", "a datastore of Data Lake Storage Gen1", "Azure has retired this storage"),
        (r"onelake|hdfs", "a datastore of another type", _BY_HAND),
        (r"dataimport|importdata", "an import of data", "it imports once; a schedule that imports it is managed"),
        (r"model(version)?package", "a model package", _BY_HAND),
        (r"featur.*", "a part of a feature store", _BY_HAND),
        (r"flow|run", "a prompt flow", _BY_HAND),
        (r"serverlessendpoint|marketplacesubscription", "a serverless endpoint", _BY_HAND),
        (r"finetuning.*|distillation.*", "a fine-tuning job", _BY_HAND),
    )
)
_AZURE_ML = re.compile(r"azureml|ml\.azure\.com", re.IGNORECASE)
# A file without any of these at the left of its mapping is not parsed.
_HINT = (
    r"[\"']?(\$schema|type|jobs|trigger|endpoint_name|auth_mode|image|build|command|trial|deployment_template_type)"
    r"[\"']?\s*:"
)
# What comes before the mapping: comments, empty lines, directives and the start of the document.
_BEFORE = re.compile(r"(?:[ \t]*(?:#[^\n]*|%[^\n]*|---[ \t]*(?:#[^\n]*)?)?\n)*")
_START = re.compile(r"(?:---[ \t]+)?([ \t]*)(\{?)")
# A key and its value, if that is on the same line.
_KEY = r"[\"']?([\w$]+)[\"']?[ \t]*:(?:[ \t]+([^\n]*))?$"
_SCHEMA = re.compile(r"[\"']?\$schema[\"']?\s*:\s*[\"']?([^\s\"',}]+)")
_DATA = frozenset({"uri_file", "uri_folder", "mltable"})
_MODELS = frozenset({"custom_model", "mlflow_model", "triton_model"})
_DATASTORES = frozenset({"azure_blob", "azure_file", "azure_data_lake_gen2"})
_JOBS = frozenset({"command", "spark", "sweep", "automl"})
_PIPELINES = ("pipeline_job", "component")
_ONLY_JOBS = frozenset(
    {"compute", "experiment_name", "identity", "limits", "objective", "queue_settings", "resources", "services", "task"}
)


@dataclass(frozen=True)
class Recognised:
    """What a file defines: a kind of asset, or something that stays with `az ml`, and why.

    `is_certain`: the file says so in its `$schema`. Without one, a reference to the file can give it another meaning.
    """

    kind: str = ""
    what: str = ""
    why: str = ""
    is_certain: bool = False


def datastore_of_others(kind: str, data: Mapping[str, Any]) -> Recognised | None:
    """Return a datastore that stays with `az ml`, because every workspace has it or because it contains a secret."""
    if kind != "datastore":
        return None
    if str(data.get("name")).lower() in DEFAULT_DATASTORES:
        return Recognised(what="a default datastore", why="every workspace has it", is_certain=True)
    if not data.get("credentials"):
        return None
    why = "a secret cannot be in a repository; without `credentials` it is managed, and signs in by identity"
    return Recognised(what="a datastore with credentials", why=why, is_certain=True)


def may_define(text: str) -> bool:
    """Whether a file's text can be an asset's, so that parsing it is worthwhile."""
    indent, brace = _start(text)
    return bool(brace) or re.search(f"^{indent}{_HINT}", text, re.MULTILINE) is not None


def appears(text: str) -> Recognised | None:
    """Return what a text that is no valid YAML seems to define, by the keys at the left of its mapping."""
    indent, _ = _start(text)
    keys: dict[str, Any] = {}
    for key, value in re.findall(f"^{indent}{_KEY}", text, re.MULTILINE):
        keys.setdefault(key, value.strip("\"' ") or {})
    schema = _SCHEMA.search(text)
    return _recognise({**keys, "$schema": schema[1]} if schema is not None else keys)


def _start(text: str) -> tuple[str, str]:
    """Return the indentation of a text's mapping, and its brace if it has one."""
    before = _BEFORE.match(text)
    found = _START.match(text, before.end() if before is not None else 0)
    return (found[1], found[2]) if found is not None else ("", "")


def recognise(data: Mapping[str, Any]) -> Recognised | None:
    """Return what a YAML mapping defines, or None if it does not look like anything of Azure Machine Learning."""
    found = _recognise(data)
    step = control_flow.first(data)
    if found is not None and found.kind in _PIPELINES and step is not None and not control_flow.is_taken():
        what = f"a pipeline with a step of type {data['jobs'][step]['type']}"
        return Recognised(what=what, why=control_flow.WHY, is_certain=True)
    return found


def _recognise(data: Mapping[str, Any]) -> Recognised | None:
    schema = data.get("$schema")
    if isinstance(schema, str) and _AZURE_ML.search(schema):
        name = re.sub(r"(\.schema)?\.json$", "", schema.strip().lower()).rpartition("/")[2]
        return _by_schema(name, schema.strip(), data)
    kind = _by_shape(data)
    return Recognised(kind) if kind else None


def _by_schema(name: str, schema: str, data: Mapping[str, Any]) -> Recognised:
    if name in _SCHEMAS:
        return Recognised(_SCHEMAS[name], is_certain=True)
    for pattern, what, why in _LEFT:
        if pattern.fullmatch(name):
            return Recognised(what=what, why=why, is_certain=True)
    if kind := _by_shape(data):  # `az ml` reads no `$schema`
        return Recognised(kind)
    if name.endswith(("component", "job")):
        what = "a component or job of a type that cannot be managed"
        return Recognised(what=what, why=_BY_HAND, is_certain=True)
    return Recognised(what=f"'{schema}'", why="its schema is not known here", is_certain=True)


def _by_shape(data: Mapping[str, Any]) -> str:
    type_ = data.get("type") if isinstance(data.get("type"), str | None) else ""
    if "trigger" in data and {"create_job", "create_monitor", "import_data"} & data.keys():
        return "schedule"
    if "endpoint_name" in data and "name" in data:
        is_batch = type_ in {"model", "pipeline"} or bool({"compute", "mini_batch_size"} & data.keys())
        return "batch_deployment" if is_batch else "online_deployment"
    if type_ == "pipeline" and isinstance(data.get("jobs"), dict):
        return "component" if "version" in data else "pipeline_job"
    if type_ in _JOBS or (type_ is None and isinstance(data.get("command"), str)):
        return _job_or_component(data)
    if "deployment_template_type" in data and "name" in data:
        return "deployment_template"
    if "auth_mode" in data and "name" in data:
        return "batch_endpoint" if "defaults" in data else "online_endpoint"
    for types, kind in ((_DATA, "data"), (_MODELS, "model"), (_DATASTORES, "datastore")):
        if type_ in types and "name" in data:
            return kind
    is_environment = "name" in data and (isinstance(data.get("image"), str) or isinstance(data.get("build"), dict))
    return "environment" if is_environment and type_ is None else ""


def _job_or_component(data: Mapping[str, Any]) -> str:
    """Tell a job from a component of the same type: a job has a place to run, or values of its inputs."""
    if {"command", "code", "entry", "trial", "task", "training_data"}.isdisjoint(data):
        return ""
    inputs = data.get("inputs")
    given = inputs.values() if isinstance(inputs, dict) else ()
    has_values = any(not isinstance(each, dict) or {"path", "value"} & each.keys() for each in given)
    is_job = bool(_ONLY_JOBS & data.keys()) or has_values or data.get("type") in {"sweep", "automl"}
    return "pipeline_job" if is_job else "component" if "name" in data else ""
