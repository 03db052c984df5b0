"""Stored jobs: the ARM envelope, and in `run` the properties that only run history shows.

`run` holds: `root` (a name), `parent` (a pipeline's step and a sweep's trial have one), `node` (a step's name in its
pipeline), `number`, `created`, `started` and `ended` (time stamps), `error` ({code, message}), `cancel` (why it is
being cancelled), `submitter` ({objectId, clientId}), `children` (a pipeline's: node -> job name; a sweep's: number ->
job name), `operation` (the id of the operation that runs it), `runner` (what it ran in), `reused` (the name of the job
whose results a step has).
"""

from __future__ import annotations

import secrets
from pathlib import Path

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.wire import Json
from amlite.services.jobs import events
from amlite.services.machinelearning import references
from amlite.services.mlflow import tracking

JOB_TYPE = f"{references.WORKSPACE_TYPE}/jobs"
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
DELETED_TYPE = "jobs/deleted"
PRIVATE = "run"
LEFT_OUT = "leftOut"
"""The property with the optional inputs of a pipeline that have no value, which no model has."""


class Job:
    """A job at the time of reading. Only `change` writes it."""

    def __init__(self, id: str, body: Json) -> None:
        self.id = id
        self.body = body

    @property
    def name(self) -> str:
        """Its name, which is its run id too."""
        return str(self.body["name"])

    @property
    def workspace_id(self) -> str:
        """The ARM id of its workspace."""
        return self.id.rsplit("/", 2)[0]

    @property
    def properties(self) -> Json:
        """The ARM properties."""
        return self.body["properties"]  # type: ignore[no-any-return]

    @property
    def run(self) -> Json:
        """The properties that only run history shows."""
        return self.body[PRIVATE]  # type: ignore[no-any-return]

    @property
    def status(self) -> str:
        """NotStarted, Queued, Preparing, Running, Finalizing, CancelRequested, Completed, Failed or Canceled."""
        return str(self.properties["status"])

    @property
    def ended(self) -> bool:
        """Whether the job has reached its final status."""
        return self.status in TERMINAL

    @property
    def submitter(self) -> Principal | None:
        """The principal that submitted the job; None for amlite itself."""
        who = self.run.get("submitter")
        return Principal(who["objectId"], who["clientId"]) if who else None

    def folder(self, platform: Platform) -> Path:
        """Its local folder."""
        return folder(platform, self.workspace_id, self.name)


def folder(platform: Platform, workspace_id: str, name: str) -> Path:
    """Return the local folder of a job: `state/jobs/<resource group>/<workspace>/<job>`.

    Workspaces of two groups may have one name, and must not read or delete each other's files.
    """
    workspace = ResourceId.of(workspace_id)
    return platform.state / "jobs" / str(workspace.group) / workspace.name / name


def find(platform: Platform, workspace_id: str, name: str) -> Job | None:
    """Return a job, or None."""
    document = platform.store.get(f"{workspace_id}/jobs/{name}")
    return Job(document.id, document.body) if document else None


def get(platform: Platform, workspace_id: str, name: str) -> Job:
    """Return a job. The service's AzureError 404 if it does not exist."""
    job = find(platform, workspace_id, name)
    if job is None:
        raise AzureError(
            404, "UserError", f"Could not find run with name '{name}' in workspace '{workspace_id.rpartition('/')[2]}'."
        )
    return job


def remove(platform: Platform, job: Job) -> None:
    """Delete a job. Its name stays taken: results that others reuse, a token and artifacts are known by it."""
    platform.store.put(_deleted(job.workspace_id, job.name), DELETED_TYPE, {"name": job.name})
    platform.store.delete(job.id)


def is_taken(platform: Platform, workspace_id: str, name: str) -> bool:
    """Whether there is, or was, a job with a name."""
    return any(
        platform.store.get(each) is not None for each in (f"{workspace_id}/jobs/{name}", _deleted(workspace_id, name))
    )


def free_name(platform: Platform, workspace_id: str, name: str) -> str:
    """Return the name of a job that amlite itself starts: with a random part if a client has taken the name before."""
    return f"{name}-{secrets.token_hex(4)}" if is_taken(platform, workspace_id, name) else name


def _deleted(workspace_id: str, name: str) -> str:
    return f"{workspace_id}/deletedJobs/{name}"


def every(platform: Platform, workspace_id: str) -> list[Job]:
    """Return a workspace's jobs, children included, oldest first."""
    return [Job(document.id, document.body) for document in platform.store.below(f"{workspace_id}/jobs", JOB_TYPE)]


def children(platform: Platform, job: Job) -> list[Job]:
    """Return a job's own child jobs: a pipeline's in the order of its nodes, a sweep's in that of its trials."""
    names = job.run.get("children") or {}
    found = (find(platform, job.workspace_id, name) for name in names.values())
    return [child for child in found if child is not None]


def own_child(platform: Platform, job: Job, name: str) -> Job | None:
    """Return the child of a job with a name. Another job that has the name is none of its children."""
    found = find(platform, job.workspace_id, name)
    return found if found is not None and found.run.get("parent") == job.name else None


def descendants(platform: Platform, job: Job) -> list[Job]:
    """Return the children of a job and all of theirs, each before its own."""
    return [each for child in children(platform, job) for each in (child, *descendants(platform, child))]


def change(
    platform: Platform, id: str, *, status: str | None = None, run: Json | None = None, properties: Json | None = None
) -> Job:
    """Change a job's status, run properties or ARM properties. The status determines its start and end times.

    The tags are those of its MLflow run too. A job that has ended keeps its status. Raises AzureError 404 if the job no
    longer exists.
    """
    document = platform.store.get(id)
    if document is None:
        raise AzureError(404, "UserError", f"The job '{id.rpartition('/')[2]}' was deleted.")
    job = Job(document.id, document.body)
    if properties and "tags" in properties:
        gone = (job.properties.get("tags") or {}).keys() - properties["tags"].keys()
        workspace = references.workspace(platform, job.workspace_id).body
        tracking.set_tags(platform, workspace, job.name, properties["tags"], gone)
    job.properties.update(properties or {})
    job.run.update(run or {})
    if status is not None and not job.ended:
        job.properties["status"] = status
        if status == "Running" and not job.run.get("started"):
            job.run["started"] = platform.clock.stamp()
        if status in TERMINAL:
            job.run["ended"] = platform.clock.stamp()
        platform.store.put(job.id, JOB_TYPE, job.body)
        events.status_changed(platform, job.workspace_id, job.body)
        return job
    platform.store.put(job.id, JOB_TYPE, job.body)
    return job


def shown(platform: Platform, workspace_id: str, *jobs: Job) -> list[Json]:
    """Return ARM's envelopes of a workspace's jobs, with the tags that they have set through MLflow.

    A pipeline's step has no properties in ARM, only in run history.
    """
    workspace = references.workspace(platform, workspace_id).body
    logged = tracking.tags(platform, workspace, [job.name for job in jobs])
    found = []
    for job in jobs:
        envelope = {key: value for key, value in job.body.items() if key != PRIVATE}
        tags = {**(job.properties.get("tags") or {}), **logged[job.name]}
        known = {key: value for key, value in job.properties.items() if key != LEFT_OUT}
        envelope["properties"] = None if job.run.get("node") else {**known, "tags": tags}
        found.append(envelope)
    return found
