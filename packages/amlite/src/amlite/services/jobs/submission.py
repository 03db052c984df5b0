"""Submit a job: check it, store it, and start it as an operation that survives a restart."""

from __future__ import annotations

import re
import uuid
from typing import Any

from amlite.core import wire
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import fields
from amlite.core.wire import Json
from amlite.services.jobs import graph, interactive, kinds, plan, settings, steps
from amlite.services.jobs.documents import (
    JOB_TYPE,
    PRIVATE,
    Job,
    change,
    find,
    free_name,
    get,
    is_taken,
    own_child,
    shown,
)
from amlite.services.machinelearning import references
from amlite.services.machinelearning.published.validation import writable

RUN = "jobs.run"
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,254}")
_SERVED = ("Command", "Pipeline", "Sweep", "Spark", "AutoML")
_NOT_SERVED = ("finetuning", "labeling")


async def submit(
    platform: Platform, workspace_id: str, name: str, body: Json, principal: Principal | None = None
) -> Json:
    """Submit a job under a new name and return its ARM envelope.

    `body` is the body of a PUT to `workspaces/jobs`. `principal` is the submitter; the job's MLflow token speaks for
    them (default: the subscription's deploying application). Raises AzureError for what Azure ML refuses at submission:
    a name that was used, a malformed body, or a compute, component, environment, data asset or input that does not
    exist.
    """
    workspace = references.workspace(platform, workspace_id)
    if _NAME.fullmatch(name) is None:
        raise _refusal(
            f"The job name '{name}' is invalid: 1-255 letters, digits, underscores and hyphens, no sign first."
        )
    properties = check(platform, workspace.id, body)
    properties.setdefault("experimentName", "Default")
    id = f"{workspace.id}/jobs/{name}"
    job = new(platform, id, properties, workspace.body, submitter=principal)
    operation = platform.operations.begin(RUN, {"id": id}, resource_id=id)
    return shown(platform, workspace.id, change(platform, job.id, run={"operation": operation}))[0]


def check(platform: Platform, workspace_id: str, body: Json) -> Json:
    """Return the properties of a job that could be submitted, its references resolved; raises AzureError."""
    given = fields(body, {"properties": "map:any"}).get("properties", {}).get("jobType")
    kind = next((served for served in _SERVED if served.lower() == str(given).lower()), None)
    if kind is None and str(given).lower() in _NOT_SERVED:
        raise _refusal(f"Jobs of type '{given}' are not supported by amlite; use one of {', '.join(_SERVED)}.")
    properties: Json = writable("JobBase", body)["properties"]
    properties["jobType"] = kind
    for holder in (properties, *(properties.get("jobs") or {}).values()):
        _drop_sources(holder)
    if kind == "AutoML":
        properties["inputs"] = kinds.automl.inputs(properties)
    if wrong := settings.problems(properties):
        raise plan.refusal("; ".join(wrong))
    if kind != "Pipeline":
        return _job(platform, workspace_id, properties)
    if properties.get("componentId") and not properties.get("jobs"):
        properties |= steps.of_component(platform, workspace_id, properties)
    steps.pipeline_job(platform, workspace_id, properties)
    return properties


def _drop_sources(holder: Any) -> None:
    """Drop from inputs what names another job: only amlite writes it there, and Azure ignores unknown keys."""
    inputs = holder.get("inputs") if isinstance(holder, dict) else None
    for given in inputs.values() if isinstance(inputs, dict) else ():
        if isinstance(given, dict):
            given.pop("step", None)
            given.pop("output", None)


def _job(platform: Platform, workspace_id: str, properties: Json) -> Json:
    """Return a job's properties with its references resolved; AzureError if the job cannot run.

    Afterwards `environmentId`, `codeId` and `computeId` are ARM ids, and data inputs name a version.
    """
    given = properties.get("inputs") or {}
    inputs = {name: plan.guard(graph.parse_value, name, value) for name, value in given.items()}
    if wrong := kinds.KINDS[properties["jobType"]].problems(properties):
        raise plan.refusal("; ".join(wrong))
    found = {
        name: plan.written(platform, workspace_id, name, value)
        | ({"mode": mode} if (mode := graph.mode(given[name])) else {})
        for name, value in inputs.items()
    }
    return {**plan.resolved(platform, workspace_id, properties), "inputs": found}


def new(
    platform: Platform,
    id: str,
    properties: Json,
    workspace: Json,
    *,
    submitter: Principal | None,
    parent: Job | None = None,
    node: str | None = None,
) -> Job:
    """Store a new job, NotStarted, with the properties that the service adds. AzureError 409 if its name was used."""
    name = id.rpartition("/")[2]
    if is_taken(platform, workspace["id"], name):
        raise AzureError(
            409, "UserError", f"A job with the name '{name}' exists or was deleted: give the new job another name."
        )
    now = platform.clock.stamp()
    who = {"objectId": submitter.object_id, "clientId": submitter.client_id} if submitter else None
    outputs: Json = {
        output: {"jobOutputType": "uri_folder", **(declared or {})}
        for output, declared in (properties.get("outputs") or {}).items()
    }
    if properties["jobType"] in kinds.PROGRAMS:  # those of pipelines and sweeps are in the locations of their jobs
        for output, declared in outputs.items():
            declared["uri"] = plan.output_uri(name, output, declared)
    body: Json = {
        "id": id,
        "name": name,
        "type": JOB_TYPE,
        "properties": {
            "displayName": name,
            "tags": {},
            "properties": {},
            "isArchived": False,
            **properties,
            "outputs": {**outputs, **_default_output(platform, workspace["id"], name)},
            "services": {**interactive.services(properties), **services(workspace, name)},
            "status": "NotStarted",
        },
        "systemData": wire.created(submitter.client_id if submitter else "amlite", now),
        PRIVATE: {
            "created": now,
            "number": platform.store.next(f"runs/{workspace['id']}".lower()),
            "submitter": who,
            "root": parent.run["root"] if parent else name,
            **({"parent": parent.name} if parent else {}),
            **({"node": node} if node else {}),
        },
    }
    platform.store.put(id, JOB_TYPE, body)
    return Job(id, body)


def new_child(
    platform: Platform, parent: Job, properties: Json, *, node: str | None = None, name: str | None = None
) -> Job:
    """Store a child of a job, such as a pipeline's step (of a node). The default name is new."""
    workspace = references.workspace(platform, parent.workspace_id)
    own = {"azureml.moduleName": node} if node else {}
    return new(
        platform,
        f"{workspace.id}/jobs/{name or uuid.uuid4()}",
        {**properties, "experimentName": parent.properties["experimentName"], "properties": own},
        workspace.body,
        submitter=parent.submitter,
        parent=parent,
        node=node,
    )


def numbered_child(platform: Platform, parent: Job, number: int, properties: Json, *, node: str | None = None) -> Job:
    """Return a sweep's trial or a loop's iteration. Store it unless an earlier attempt has stored it.

    As in Azure ML, its name is `<parent>_<number>`.
    """
    names: dict[str, str] = dict(get(platform, parent.workspace_id, parent.name).run.get("children") or {})
    name = names.get(str(number), f"{parent.name}_{number}")
    known = own_child(platform, parent, name)
    if known is None:
        name = free_name(platform, parent.workspace_id, name)
    # First, so that the next attempt finds the child after a kill.
    change(platform, parent.id, run={"children": {**names, str(number): name}})
    return known or new_child(platform, parent, properties, node=node, name=name)


def _default_output(platform: Platform, workspace_id: str, name: str) -> Json:
    """Return the output `default`, the location of logs and MLflow artifacts.

    Clients that get it list the logs themselves and sign each URL with the account's key. A workspace with
    identity-based access has no key. Without this output, clients read the URLs from run history.
    """
    store = references.datastore(platform, workspace_id, "workspaceartifactstore")
    if store.body["properties"]["credentials"]["credentialsType"] != "AccountKey":
        return {}
    uri = f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{name}"
    return {"default": {"jobOutputType": "uri_folder", "uri": uri, "mode": "ReadWriteMount"}}


def services(workspace: Json, name: str) -> Json:
    """Return a job's `services`: MLflow's tracking URI and the studio's page."""
    tracking = workspace["properties"].get("mlFlowTrackingUri", "")
    return {
        "Tracking": {"jobServiceType": "Tracking", "endpoint": f"{tracking}?", "properties": {}},
        "Studio": {
            "jobServiceType": "Studio",
            "endpoint": f"https://ml.azure.com/runs/{name}?wsid={workspace['id']}",
            "properties": {},
        },
    }


def update(platform: Platform, workspace_id: str, name: str, body: Json) -> Json | None:
    """Apply a PUT to an existing job: only display name, description, tags and archiving change.

    Return None if the job does not exist. AzureError 409 if the body has a different type than the job.
    """
    job = find(platform, workspace_id, name)
    if job is None:
        return None
    given = body.get("properties") or {}
    if str(given.get("jobType", job.properties["jobType"])).lower() != job.properties["jobType"].lower():
        raise AzureError(
            409,
            "UserError",
            f"A job with the name '{name}' already exists. To create a new job, use a different name; "
            "an existing job's type cannot be changed.",
        )
    mutable = {
        key: given[key] for key in ("displayName", "description", "tags", "isArchived") if given.get(key) is not None
    }
    return shown(platform, workspace_id, change(platform, job.id, properties=mutable))[0]


def _refusal(message: str) -> AzureError:
    return AzureError(400, "UserError", message)
