"""The jobs of a workspace, as Azure Resource Manager and run history have them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra.outputs import StackOutputs
from pulumi_azureml.operations import Run, Runs, pages, send
from release.errors import ReleaseError
from release.terminal.tables import seconds

_API_VERSION = "2024-01-01-preview"
_AT_ONCE = 8


@dataclass(frozen=True)
class Job:
    """A job. `body` is what Azure Resource Manager returns."""

    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["name"])

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its properties."""
        return self.body["properties"]  # type: ignore[no-any-return]

    @property
    def pipeline(self) -> str:
        """The pipeline or component that it runs: the one that the release submitted, or else its display name."""
        tags = self.properties.get("tags") or {}
        return str(tags.get("pipeline") or tags.get("component") or self.properties.get("displayName") or self.name)

    @property
    def status(self) -> str:
        """Its status."""
        return str(self.properties["status"])

    @property
    def created(self) -> str | None:
        """The time at which it was submitted."""
        return (self.body.get("systemData") or {}).get("createdAt")

    @property
    def studio_url(self) -> str | None:
        """Its page in the studio."""
        return ((self.properties.get("services") or {}).get("Studio") or {}).get("endpoint")

    @property
    def runs(self) -> Runs:
        """The workspace's runs."""
        return Runs(self.properties["services"]["Tracking"]["endpoint"])

    def is_of(self, pipeline: str) -> bool:
        """Whether the job runs a pipeline: by the release's tag, its display name or its experiment."""
        names = (self.pipeline, self.properties.get("displayName"), self.properties.get("experimentName"))
        return pipeline.lower() in {str(name).lower() for name in names}


def find(outputs: StackOutputs, stack: str, name: str) -> Job:
    """Return a job of the stack's workspace.

    Raises:
        ReleaseError: The workspace has no such job, or it is a step of one.
    """
    from azure.core.exceptions import ResourceNotFoundError

    listed = f"use a name that `release jobs -s {stack}` prints"
    try:
        body = send("GET", f"{outputs.workspace_id}/jobs/{name}", _API_VERSION)
    except ResourceNotFoundError as error:
        raise ReleaseError(f"the workspace has no job '{name}'", fix=listed) from error
    if not body.get("properties"):
        raise ReleaseError(f"'{name}' is a step of a pipeline job", fix=f"{listed}, with --step for one of its steps")
    return Job(body)


def recent(
    outputs: StackOutputs, limit: int, *, pipelines: Collection[str] = (), statuses: Collection[str] = ()
) -> list[Job]:
    """Return the latest jobs of the stack's workspace, newest first.

    Args:
        outputs: Outputs of the stack.
        limit: The maximum number of jobs.
        pipelines: Names of the pipelines to keep. Empty keeps all.
        statuses: Statuses to keep. Empty keeps all.
    """
    found: list[Job] = []
    for job in _jobs(outputs):
        if pipelines and not any(job.is_of(name) for name in pipelines):
            continue
        if statuses and job.status.lower() not in {status.lower() for status in statuses}:
            continue
        found.append(job)
        if len(found) == limit:
            break
    return sorted(found, key=lambda job: job.created or "", reverse=True)


def runs_of(jobs: Collection[Job]) -> list[Run]:
    """Return the run of each job, which has its times."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda job: job.runs.get(job.name), jobs))


def summary(job: Job, run: Run) -> dict[str, Any]:
    """Return what a list of jobs says about one, for JSON."""
    return {
        "job": job.name,
        "pipeline": job.pipeline,
        "display_name": job.properties.get("displayName"),
        "experiment": job.properties.get("experimentName"),
        "type": job.properties.get("jobType"),
        "status": job.status,
        "created": job.created,
        "created_by": (job.body.get("systemData") or {}).get("createdBy"),
        "started": run.started,
        "ended": run.ended,
        "seconds": seconds(run.started, run.ended),
        "studio_url": job.studio_url,
    }


def _jobs(outputs: StackOutputs) -> Iterator[Job]:
    query = {"listViewType": "ActiveOnly"}
    for body in pages(f"{outputs.workspace_id}/jobs", _API_VERSION, query):
        if body.get("properties"):
            yield Job(body)
