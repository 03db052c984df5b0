"""Jobs in ARM: `workspaces/{workspace}/jobs`."""

from __future__ import annotations

from aiohttp import web

from amlite.core.errors import AzureError
from amlite.core.resource_id import ResourceId
from amlite.core.routing import ARM_HOST, Call, Routes, reply
from amlite.services.arm import polling
from amlite.services.jobs import documents, execution, lifecycle, submission
from amlite.services.jobs.documents import Job
from amlite.services.machinelearning import shared_assets
from amlite.services.machinelearning.addresses import WORKSPACE, workspace_of

routes = Routes(ARM_HOST)
_JOBS = f"{WORKSPACE}/jobs"
_JOB = f"{_JOBS}/{{job}}"


@routes.put(_JOB)
async def put_job(call: Call) -> web.Response:
    """Submit a job, or change the mutable properties of an existing one."""
    body = await call.json()
    workspace_id, name = _workspace(call), call.parameters["job"]
    changed = submission.update(call.platform, workspace_id, name, body)
    if changed is not None:
        return reply(changed)
    shared_assets.require(call.platform, call.principal, body)
    return reply(await submission.submit(call.platform, workspace_id, name, body, call.principal), 201)


@routes.get(_JOB)
async def get_job(call: Call) -> web.Response:
    """Describe a job."""
    return reply(documents.shown(call.platform, _workspace(call), _job(call))[0])


@routes.get(_JOBS)
async def list_jobs(call: Call) -> web.Response:
    """List jobs, newest first; a pipeline's children belong to run history."""
    jobs = [job for job in documents.every(call.platform, _workspace(call)) if not job.run.get("parent")]
    view = call.query.get("listViewType", "ActiveOnly").lower()
    if view in ("activeonly", "archivedonly"):
        jobs = [job for job in jobs if bool(job.properties.get("isArchived")) == (view == "archivedonly")]
    if kind := call.query.get("jobType"):
        jobs = [job for job in jobs if job.properties["jobType"].lower() == kind.lower()]
    found = documents.shown(call.platform, _workspace(call), *reversed(jobs))
    if tag := call.query.get("tag"):
        key, equals, value = tag.partition("=")
        tags = ((job, job["properties"]["tags"]) for job in found)
        found = [job for job, tags in tags if key in tags and (not equals or tags[key] == value)]
    return reply({"value": found})


@routes.post(f"{_JOB}/cancel")
async def cancel_job(call: Call) -> web.Response:
    """Cancel a job. Do nothing if it has ended."""
    job = _job(call)
    if job.ended:
        return web.Response(status=200)
    lifecycle.cancel(call.platform, job, "canceled by request")
    return _accepted(call, execution.CANCELED, job)


@routes.delete(_JOB)
async def delete_job(call: Call) -> web.Response:
    """Delete a job that has ended, with its children and its files on this machine."""
    job = documents.find(call.platform, _workspace(call), call.parameters["job"])
    if job is None:
        return web.Response(status=204)
    if not job.ended:
        raise AzureError(400, "UserError", f"Job '{job.name}' is {job.status}; cancel it before you delete it.")
    return _accepted(call, execution.DELETE, job)


def _accepted(call: Call, work: str, job: Job) -> web.Response:
    operation = call.platform.operations.begin(work, {"id": job.id})
    return web.Response(status=202, headers=polling.headers(call, ResourceId.of(job.id), operation))


def _workspace(call: Call) -> str:
    return workspace_of(call).id


def _job(call: Call) -> Job:
    return documents.get(call.platform, _workspace(call), call.parameters["job"])
