"""Run history: the requests about runs that ARM does not cover — status, logs, children, outputs, tokens."""

from __future__ import annotations

import datetime as dt
import re
import time

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.routing import Call, reply
from amlite.core.wire import Json
from amlite.services.jobs import documents, graph
from amlite.services.jobs.documents import Job, change
from amlite.services.jobs.variables import TOKEN_SECONDS, run_token
from amlite.services.machinelearning import references
from amlite.services.machinelearning.addresses import (
    READ_RUNS,
    WORKSPACE,
    WRITE_RUNS,
    data_routes,
    workspace_of,
)
from amlite.services.mlflow import tracking
from amlite.services.storage import blobs, delegation

routes = data_routes()
_RUN_FIELDS = {"displayName": "str", "description": "str", "tags": "map:str", "properties": "map:str", "hidden": "bool"}
_HISTORY = f"/history/v1.0{WORKSPACE}"
_RUN = f"{_HISTORY}/runs/{{run}}"
_RUN_OF = f"{_HISTORY}/{{by}}/{{experiment}}/runs/{{run}}"  # by `experiments` (names) or `experimentids`
_LOG_FOLDERS = ("user_logs/", "azureml-logs/", "logs/azureml/")
_LOG_LIFETIME = dt.timedelta(hours=1)
_OUTPUT = re.compile(r".*/data/azureml_(.+)_output_data_([\w-]+)/versions/1")
_KINDS = {"Pipeline": "azureml.PipelineRun", "Command": "commandjob", "Sweep": "hyperdrive", "AutoML": "automl",
          "Spark": "spark"}  # fmt: skip


@routes.get(_RUN, action=READ_RUNS)
@routes.get(_RUN_OF, action=READ_RUNS)
async def get_run(call: Call) -> web.Response:
    """Describe a run."""
    return reply(run_of(call.platform, workspace_of(call).body, _job(call)))


@routes.patch(_RUN, action=WRITE_RUNS)
@routes.patch(_RUN_OF, action=WRITE_RUNS)
async def patch_run(call: Call) -> web.Response:
    """Change a run's display name, description or tags, or archive it (`hidden`)."""
    body = await call.json(_RUN_FIELDS)
    job = _job(call)
    wanted: Json = {key: body[key] for key in ("displayName", "description") if body.get(key) is not None}
    if body.get("tags") is not None:
        wanted["tags"] = {**(job.properties.get("tags") or {}), **body["tags"]}
    if body.get("properties") is not None:
        wanted["properties"] = {**(job.properties.get("properties") or {}), **body["properties"]}
    if body.get("hidden") is not None:
        wanted["isArchived"] = bool(body["hidden"])
    return reply(run_of(call.platform, workspace_of(call).body, change(call.platform, job.id, properties=wanted)))


@routes.get(f"{_RUN}/details", action=READ_RUNS)
@routes.get(f"{_RUN_OF}/details", action=READ_RUNS)
async def get_details(call: Call) -> web.Response:
    """Describe a run, with an address to read each of its logs from."""
    job = _job(call)
    base = references.location(call.platform, job.workspace_id, f"azureml://jobs/{job.name}/outputs/artifacts")
    logs = {}
    for name in await blobs.names(call.platform, base):
        inside = name[len(base.path) :].lstrip("/")
        if inside.startswith(_LOG_FOLDERS):
            logs[inside] = delegation.url(call.platform, base / inside, "r", _LOG_LIFETIME)
    run = run_of(call.platform, workspace_of(call).body, job)
    return reply({**run, "createdTimeUtc": run["createdUtc"], "warnings": [], "logFiles": logs, "runDefinition": {}})


@routes.get(f"{_RUN}/children", action=READ_RUNS)
@routes.get(f"{_RUN_OF}/children", action=READ_RUNS)
async def list_children(call: Call) -> web.Response:
    """List a pipeline's steps in the order in which they could run."""
    workspace = workspace_of(call).body
    found = [run_of(call.platform, workspace, child) for child in documents.children(call.platform, _job(call))]
    return reply({"value": found[: call.number("$top", len(found))], "continuationToken": None, "nextLink": None})


@routes.post(f"{_HISTORY}/rundata", action=READ_RUNS)
async def get_run_data(call: Call) -> web.Response:
    """Describe a run together with its submitted definition."""
    run_id = str((await call.json()).get("runId"))
    workspace = workspace_of(call).body
    job = documents.get(call.platform, workspace["id"], run_id)
    specification = {"job": {key: value for key, value in job.properties.items() if key != "services"}}
    run = run_of(call.platform, workspace, job)
    return reply({"runMetadata": run, "runDefinition": {}, "jobSpecification": specification})


@routes.post(f"/data/v1.0{WORKSPACE}/dataversion/batchGetResolvedUris", action=READ_RUNS)
async def resolve_outputs(call: Call) -> web.Response:
    """Return the locations of outputs by their asset ids."""
    values = (await call.json({"values": "list:str"})).get("values", [])
    workspace = workspace_of(call).body
    found = {}
    for asset_id in values:
        parsed = _OUTPUT.fullmatch(asset_id)
        if parsed is None:
            raise AzureError(404, "UserError", f"No data asset has the id '{asset_id}'.")
        job = documents.get(call.platform, workspace["id"], parsed[1])
        declared = (job.properties.get("outputs") or {}).get(parsed[2])
        if declared and declared.get("uri"):
            found[asset_id] = {"uri": declared["uri"], "type": _data_type(declared)}
    return reply({"values": found})


@routes.get(f"{_RUN_OF}/token", action=WRITE_RUNS)
async def renew_token(call: Call) -> web.Response:
    """Issue a new token to a running job, which shows the token that it has."""
    job = _job(call)
    if call.principal is None or call.principal.root != job.run["root"]:
        raise AzureError(403, "AuthorizationFailed", f"Only a job itself gets a token for run '{job.name}'.")
    if job.ended:  # its log may have the token that it had
        raise AzureError(403, "AuthorizationFailed", f"Run '{job.name}' has ended, and needs no token.")
    ends = dt.datetime.fromtimestamp(int(time.time()) + TOKEN_SECONDS, dt.UTC)
    return reply({**run_of(call.platform, workspace_of(call).body, job), "token": run_token(call.platform, job),
                  "expiryTimeUtc": ends.isoformat(), "tokenExpiryTimeUtc": ends.isoformat()})  # fmt: skip


def run_of(platform: Platform, workspace: Json, job: Job) -> Json:
    """Return a job as run history shows it; `metrics` (latest values) and `parameters` come from its MLflow run."""
    metrics, parameters, tags = tracking.logged(platform, workspace, job.name)
    properties, run = job.properties, job.run
    who = run.get("submitter") or {}
    compute = str(properties.get("computeId") or "serverless").rpartition("/")[2]
    location, guid = workspace["location"], workspace["properties"]["workspaceId"]
    outputs = {
        name: {
            "assetId": f"azureml://locations/{location}/workspaces/{guid}/data/azureml_{job.name}_output_data_{name}/versions/1",
            "type": _data_type(declared),
        }
        for name, declared in (properties.get("outputs") or {}).items()
        if name != "default" and declared and declared.get("uri")
    }
    return {
        "runId": job.name,
        "runNumber": run["number"],
        "rootRunId": run["root"],
        "parentRunId": run.get("parent"),
        "experimentId": tracking.experiment(platform, workspace, str(properties["experimentName"])),
        "status": job.status,
        "createdUtc": run["created"],
        "startTimeUtc": run.get("started"),
        "endTimeUtc": run.get("ended"),
        "duration": _duration(run),
        "displayName": properties.get("displayName"),
        "name": run.get("node") or properties.get("displayName"),
        "description": properties.get("description"),
        "hidden": bool(properties.get("isArchived")),
        "runType": "azureml.StepRun" if run.get("node") else _KINDS[properties["jobType"]],
        "properties": {
            **(properties.get("properties") or {}),
            **({"runner": run["runner"]} if run.get("runner") else {}),
        },
        "parameters": parameters,
        "metrics": metrics,
        "tags": {**(properties.get("tags") or {}), **tags},
        "target": compute,
        "compute": {"target": compute, "targetType": "amlcompute", "instanceCount": 1},
        "createdBy": {"userObjectId": who.get("objectId"), "userName": job.body["systemData"]["createdBy"]},
        "userId": who.get("objectId"),
        "services": {
            name: {"type": name, "endpoint": service.get("endpoint")}
            for name, service in properties["services"].items()
        },
        "error": {"error": run["error"]} if run.get("error") else None,
        "cancelationReason": run.get("cancel"),
        "outputs": outputs,
        "inputs": {},
    }


def _job(call: Call) -> Job:
    return documents.get(call.platform, workspace_of(call).body["id"], call.parameters["run"])


def _data_type(declared: Json) -> str:
    """Return an output's type; model folders are shown as folders, for the client cannot download them as models."""
    kind = str(declared.get("jobOutputType", "uri_folder"))
    if kind in graph.FILE_TYPES:
        return "uri_file"
    return kind if kind in ("uri_folder", "mltable") else "uri_folder"


def _duration(run: Json) -> str | None:
    if not run.get("started") or not run.get("ended"):
        return None
    begin, end = (dt.datetime.fromisoformat(run[name][:26] + "+00:00") for name in ("started", "ended"))
    seconds = max(0.0, (end - begin).total_seconds())
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{int(hours):02d}:{int(minutes):02d}:{rest:010.7f}"
