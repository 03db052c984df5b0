"""Jobs as operations: run, cancel, delete. Running jobs restart with amlite."""

from __future__ import annotations

import asyncio

from amlite.core import disk
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json
from amlite.services.jobs import documents, kinds, loops, node, pipeline, searches, trials
from amlite.services.jobs.documents import Job
from amlite.services.jobs.lifecycle import Work, cancel, tasks, to_its_end
from amlite.services.machinelearning import references
from amlite.services.mlflow import server, tracking

CANCELED = "jobs.canceled"
DELETE = "jobs.delete"
_WORKS: dict[str, Work] = {
    **dict.fromkeys(kinds.PROGRAMS, node.run),
    "AutoML": searches.run,
    "DoWhile": loops.repeat,
    "ParallelFor": loops.each,
    "Pipeline": pipeline.run,
    "Sweep": trials.run,
}


async def run(platform: Platform, arguments: Json) -> None:
    """Run a submitted job until it ends. Do nothing if it has ended."""
    found = platform.store.get(arguments["id"])
    if found is None or (job := Job(found.id, found.body)).ended:
        return
    await to_its_end(platform, job, _WORKS)


async def wait_until_ended(platform: Platform, arguments: Json) -> None:
    """Wait until a job that is being cancelled has ended."""
    found = platform.store.get(arguments["id"])
    if found is not None:
        task = tasks(platform).get(found.id)
        if task is not None:
            await asyncio.wait([task])


async def delete(platform: Platform, arguments: Json) -> None:
    """Remove a job that has ended, its children, and their files on this machine."""
    found = platform.store.get(arguments["id"])
    if found is None:
        return
    job = Job(found.id, found.body)
    for each in (*documents.descendants(platform, job), job):
        await asyncio.to_thread(disk.delete, each.folder(platform))
        documents.remove(platform, each)


async def forget(platform: Platform, workspace_id: ResourceId) -> None:
    """End every job of a workspace that is being deleted, and remove the local files of its jobs and MLflow."""
    workspace = references.workspace(platform, str(workspace_id))
    running = [job for job in documents.every(platform, workspace.id) if not job.ended and not job.run.get("parent")]
    for job in running:
        cancel(platform, job, "the workspace is being deleted")
    ending = [task for job in running if (task := tasks(platform).get(job.id)) is not None]
    await asyncio.gather(*ending, return_exceptions=True)
    await server.remove(platform, workspace.body)
    tracking.forget(platform, workspace.body)
    folder = documents.folder(platform, workspace.id, "any").parent
    await asyncio.to_thread(disk.delete, folder)
