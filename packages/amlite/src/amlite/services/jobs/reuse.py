"""Reuse of results: a pipeline's step that ran before with the same definition, inputs and settings is not run again.

Its job gets the outputs of the earlier one, and names it in its properties. Logs, metrics and artifacts stay there.
Source: "Debug pipeline reuse issues in Azure Machine Learning"; the names of the properties are those that azure-ai-ml
and azureml-core read.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.jobs import documents
from amlite.services.jobs.documents import LEFT_OUT, Job, change
from amlite.services.machinelearning import references

_KINDS = ("Command", "Parallel", "Spark", "Sweep")
_TYPE = "jobs/reusable-steps"
_ASSETS = {"codeId": "codes", "environmentId": "environments"}
# What describes a version of an asset, and not its content.
_DESCRIPTIVE = ("description", "isArchived", "properties", "provisioningState", "stage", "tags")
# What describes a job, and does not decide what it writes. A component counts by what it consists of.
_IRRELEVANT = ("componentId", "description", "displayName", "experimentName", "isArchived", "properties", "services",
               "status", "tags", LEFT_OUT)  # fmt: skip


def place(platform: Platform, job: Job) -> str | None:
    """Return the id of the document that names the job with a step's results; None if the step always runs.

    It has a hash of everything that decides the results, and a job changes that while it runs.
    """
    if not _is_reusable(platform, job):
        return None
    decisive: Json = {
        name: _with_assets(platform, job.workspace_id, value, name)
        for name, value in job.properties.items()
        if name not in _IRRELEVANT
    }
    decisive["inputs"] = {
        name: _resolved(platform, job.workspace_id, given) for name, given in job.properties["inputs"].items()
    }
    decisive["outputs"] = {name: given for name, given in job.properties["outputs"].items() if name != "default"}
    # By default, the place of an output has the name of the job.
    text = json.dumps(decisive, sort_keys=True).replace(job.name, "${{name}}")
    return f"{job.workspace_id}/reusableSteps/{hashlib.sha256(text.encode()).hexdigest()}"


def take(platform: Platform, job: Job, place: str) -> bool:
    """Give a step the results of an earlier one, if there is one that did the same."""
    known = platform.store.get(place)
    earlier = documents.find(platform, job.workspace_id, known.body["job"]) if known else None
    if earlier is None:
        return False
    properties = {
        **earlier.properties["properties"],
        **job.properties["properties"],
        "azureml.isreused": "true",
        "azureml.reusedrunid": earlier.name,
        "azureml.reusedpipelinerunid": earlier.run["root"],
    }
    outputs = {**earlier.properties["outputs"], **_default(job)}
    run = {"started": platform.clock.stamp(), "reused": earlier.name}
    change(platform, job.id, run=run, properties={"outputs": outputs, "properties": properties})
    return True


def offer(platform: Platform, job: Job, place: str) -> None:
    """Let later steps take the results of one that has completed, unless it has taken them itself."""
    if source(job) == job.name:
        platform.store.put(place, _TYPE, {"job": job.name})


def source(job: Job) -> str:
    """Return the name of the job that did the work of a job: its own, or that of an earlier one."""
    return str(job.run.get("reused") or job.name)


def _is_reusable(platform: Platform, job: Job) -> bool:
    """Return whether a job is a step of a deterministic component, in a pipeline that does not force a new run."""
    component_id = job.properties.get("componentId")
    if not job.run.get("node") or not component_id or job.properties["jobType"] not in _KINDS:
        return False
    root = documents.find(platform, job.workspace_id, job.run["root"])
    if root is None or _is_true((root.properties.get("settings") or {}).get("force_rerun", False)):
        return False
    component = platform.store.get(component_id)
    return component is not None and _is_true(
        component.body["properties"]["componentSpec"].get("is_deterministic", True)
    )


def _is_true(given: object) -> bool:
    return str(given).lower() == "true"


def _default(job: Job) -> Json:
    """Return the output with a job's own logs and artifacts."""
    return {name: declared for name, declared in job.properties["outputs"].items() if name == "default"}


def _with_assets(platform: Platform, workspace_id: str, value: Any, name: str = "") -> Any:
    """Return a part of a definition with what its code and environments consist of.

    A version that was deleted and created again has the same id.
    """
    if isinstance(value, dict):
        return {key: _with_assets(platform, workspace_id, each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_assets(platform, workspace_id, each) for each in value]
    if name not in _ASSETS or not isinstance(value, str):
        return value
    found = references.asset(platform, workspace_id, value, _ASSETS[name]).body["properties"]
    return {"id": value, **{key: each for key, each in found.items() if key not in _DESCRIPTIVE}}


def _resolved(platform: Platform, workspace_id: str, given: Json) -> Json:
    """Return an input with the place of the data, for one that is the output of another step."""
    if "step" not in given:
        uri = given.get("uri")
        if uri is None or references.is_data(uri):
            return given
        kind = "models" if "model" in given["jobInputType"] else "data"
        try:
            place = references.location(platform, workspace_id, uri, kind).url
        except references.ElsewhereError as error:
            place = error.reference
        return {**given, "place": place}
    step = documents.get(platform, workspace_id, given["step"])
    uri = step.properties["outputs"][given["output"]].get("uri")
    # Without a place of its own, an output lies with the job that did the work.
    found = {"uri": uri} if uri else {"step": source(step), "output": given["output"]}
    return {**{key: value for key, value in given.items() if key not in ("step", "output", "optional")}, **found}
