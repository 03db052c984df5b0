"""The lifecycle of a job of any kind, from submission to its end: its task, final status and cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.services.environments import UnusableEnvironment
from amlite.services.jobs import documents, process, reuse
from amlite.services.jobs.data import DataAccessError
from amlite.services.jobs.documents import Job, change
from amlite.services.machinelearning import references
from amlite.services.mlflow import tracking
from amlite.services.storage.blobs import BlobPath

GRAPH_LOG = "logs/azureml/executionlogs.txt"
Produced = Callable[[], None]
_log = logging.getLogger("amlite.services.jobs")


@dataclass
class _Running:
    """The tasks of the jobs that are running, by the jobs' ids."""

    tasks: dict[str, asyncio.Task[object]] = field(default_factory=dict)


class Work(Protocol):
    """The work of a job type; any exception fails the job. `works` has the work of every type, for child jobs."""

    async def __call__(self, platform: Platform, job: Job, produced: Produced, works: Mapping[str, Work]) -> None:
        """Run the job. Call `produced` as soon as other jobs may read its outputs."""


class JobFailure(Exception):  # noqa: N818 - the job's failure, not an error of amlite
    """The failure of a job, with its error's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def cancel(platform: Platform, job: Job, reason: str) -> None:
    """Cancel a job and its children. They are Canceled when their processes have ended."""
    request_cancel(platform, job, reason)
    task = tasks(platform).get(job.id)
    if task is not None:
        task.cancel()


def request_cancel(platform: Platform, job: Job, reason: str) -> None:
    """Mark a job and its children as being cancelled, so that the end of their tasks counts as their cancellation."""
    for each in (job, *documents.descendants(platform, job)):
        if not again(platform, each).ended:
            change(platform, each.id, status="CancelRequested", run={"cancel": reason})


async def to_its_end(
    platform: Platform, job: Job, works: Mapping[str, Work], produced: Produced = lambda: None
) -> None:
    """Run a job and set its final status. If amlite stops, the job restarts later."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    tasks(platform)[job.id] = task
    workspace = references.workspace(platform, job.workspace_id).body
    status, error, place = "Completed", None, None
    try:
        if again(platform, job).run.get("cancel"):
            raise asyncio.CancelledError  # cancelled before the task existed
        tracking.prewarm(platform, job.workspace_id)
        tracking.start_run(platform, workspace, tracked(job))
        place = reuse.place(platform, again(platform, job))
        if place and reuse.take(platform, again(platform, job), place):
            produced()
        else:
            await works[job.properties["jobType"]](platform, job, produced, works)
    except asyncio.CancelledError:
        if not documents.get(platform, job.workspace_id, job.name).run.get("cancel"):
            raise
        task.uncancel()
        status = "Canceled"
    except JobFailure as failure:
        status, error = "Failed", {"code": failure.code, "message": str(failure)}
    except (DataAccessError, UnusableEnvironment) as failure:
        status, error = "Failed", {"code": "UserError", "message": str(failure)}
    except AzureError as failure:
        status, error = "Failed", {"code": failure.code, "message": failure.message}
    except Exception as failure:  # noqa: BLE001 - a job must end, whatever its work raises
        _log.exception("job %s", job.name)
        status, error = "Failed", {"code": "ServiceError", "message": f"{type(failure).__name__}: {failure}"}
    finally:
        tasks(platform).pop(job.id, None)
    _end_children(platform, job)
    job = change(platform, job.id, status=status, run={"error": error})
    if place and job.status == "Completed":
        reuse.offer(platform, job, place)
    tracking.end_run(platform, workspace, job.name, status)


async def together(
    platform: Platform, running: Mapping[asyncio.Task[None], Job], log: GraphLog, *, carry_on: bool
) -> None:
    """Wait until the tasks of several child jobs have ended. Unless they carry on, one that fails cancels the others.

    If this coroutine is cancelled, the tasks are too.
    """
    pending = set(running)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            ended = [again(platform, running[task]) for task in done]
            for child in ended:
                title = child.run.get("node") or child.properties["displayName"]
                await log.say(f"Step {title} ({child.name}): {child.status}")
            if any(child.status == "Failed" for child in ended) and not carry_on:
                for task in pending:
                    if not again(platform, running[task]).ended:
                        request_cancel(platform, running[task], "another step failed")
                        task.cancel()
    except asyncio.CancelledError:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        raise


def _end_children(platform: Platform, job: Job) -> None:
    """End the children of a job that ends: those that never began, and those of an earlier process of amlite."""
    workspace = references.workspace(platform, job.workspace_id).body
    for child in documents.descendants(platform, again(platform, job)):
        if not child.ended:
            change(platform, child.id, status="Canceled", run={"cancel": child.run.get("cancel") or "its parent ended"})
            tracking.end_run(platform, workspace, child.name, "Canceled")


def tracked(job: Job) -> tracking.Run:
    """Return a job's run as MLflow keeps it."""
    properties, user = job.properties, str(job.body["systemData"]["createdBy"])
    title, experiment = str(properties.get("displayName") or job.name), str(properties["experimentName"])
    tags = properties.get("tags") or {}
    return tracking.Run(job.name, title, user, experiment, job.run["root"], job.run.get("parent"), tags)


def tasks(platform: Platform) -> dict[str, asyncio.Task[object]]:
    """Return the tasks of the jobs that are running, by the jobs' ids."""
    return platform.part(_Running).tasks


class GraphLog:
    """The log of a job that runs other jobs: its messages about them."""

    def __init__(self, platform: Platform, job: Job) -> None:
        self._platform = platform
        self._path = job.folder(platform) / GRAPH_LOG
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._copy = process.LogCopy(platform, self._path, artifacts(platform, job) / GRAPH_LOG, job.folder(platform))

    async def say(self, text: str) -> None:
        """Write one line, with the time, here and in the datastore."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"[{self._platform.clock.now():%Y-%m-%d %H:%M:%SZ}] {text}\n")
        await self._copy.push()


def artifacts(platform: Platform, job: Job) -> BlobPath:
    """Return where a job's logs and MLflow artifacts lie."""
    return references.location(platform, job.workspace_id, f"azureml://jobs/{job.name}/outputs/artifacts")


def again(platform: Platform, job: Job) -> Job:
    """Return the current state of a job."""
    return documents.get(platform, job.workspace_id, job.name)
