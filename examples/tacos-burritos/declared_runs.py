"""Runs of the pipeline that the stack file declares: `pulumi up` starts each, once for each content.

States keep this class by its import path: `declared_runs.RunProvider`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from cluster.kubernetes import Cluster
from cluster.objects import Objects
from pipeline_runner.records import RunRecord, TaskRecord
from pulumi import dynamic
from stored import documents
from stored.pipelines import Pipelines
from stored.settings import DeclaredRun
from submission import ENDPOINT, ENVIRONMENT, Submission, Target

import pulumi_azureml as azureml
from infra.outputs import endpoints, versions

# Another value of one of these is another run.
_CONTENT = ("workspace", "endpoint", "environment", "pipeline_version")


class _Records:
    """Keeps the records of runs, and prints nothing: an update shows the resource."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission

    def started(self, run: RunRecord) -> None:
        """See `Observer`."""

    def said(self, text: str) -> None:
        """See `Observer`."""

    def changed(self, task: TaskRecord) -> None:
        """See `Observer`."""

    def ended(self, run: RunRecord) -> None:
        """See `Observer`."""
        self._submission.keep(run)


class RunProvider(dynamic.ResourceProvider):
    """Runs the pipeline to its end. A resource's id is the name of the declared run."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare the content. Other changes, such as of the folder, start no run."""
        return dynamic.DiffResult(changes=_content(olds) != _content(news))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Run the pipeline. Raises RunnerError if a step fails: the next update then starts it again."""
        return dynamic.CreateResult(props["name"], self._run(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Run the new content. The records of earlier runs stay."""
        return dynamic.UpdateResult(self._run(news))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Return the run, or nothing if somebody deleted its record."""
        known = {run.id for run in _submission(props).runs()}
        return dynamic.ReadResult(id_, props) if props.get("run") in known else dynamic.ReadResult("", {})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Delete the records of its runs."""
        submission = _submission(props)
        for run in submission.runs():
            if run.cause == cause(props["name"]):
                documents.remove(submission.record(run.id))

    def _run(self, props: dict[str, Any]) -> dict[str, Any]:
        submission = _submission(props)
        run = submission.run(props["parameters"], props["engine"], _Records(submission), cause(props["name"]))
        return {**props, "run": run.id, "seconds": run.seconds}


def cause(name: str) -> str:
    """Return what the records of a declared run name as their cause."""
    return f"declared run {name}"


def _content(props: Mapping[str, Any]) -> list[Any]:
    """Return what decides whether a run is another one. A preview may not know the target yet."""
    target = props["target"]
    known = [target.get(key) for key in _CONTENT] if isinstance(target, Mapping) else target
    return [known, props["parameters"], props["engine"]]


def _submission(props: Mapping[str, Any]) -> Submission:
    return Submission(Target(**props["target"]))


class Run(dynamic.Resource, module="tacos-burritos", name="Run"):
    """A run of the pipeline. Outputs: `run`, the id of its record, and `seconds`."""

    run: pulumi.Output[str]
    seconds: pulumi.Output[float]

    def __init__(self, declared: DeclaredRun, target: pulumi.Input[Any], opts: pulumi.ResourceOptions) -> None:
        """Declare a run."""
        props = {**declared.model_dump(), "target": target, "run": None, "seconds": None}
        super().__init__(RunProvider(), f"run-{declared.name}", props, opts)


def declare(
    runs: Sequence[DeclaredRun], cluster: Cluster, objects: Objects, assets: azureml.Assets, pipelines: Pipelines
) -> None:
    """Declare the runs of the stack file, after everything that the steps use. Export their ids as `runs`."""
    platform, account = cluster.platform, objects.account.metadata
    program = platform.program
    target = pulumi.Output.all(
        stack=program.config.stack,
        folder=pulumi.runtime.get_root_directory(),
        tenant_id=program.config.cloud.tenant_id,
        subscription_id=program.config.cloud.subscription_id,
        resource_group=platform.group.name,
        location=program.config.cloud.location,
        workspace=platform.workspace.name,
        login_server=platform.registry.login_server,
        cluster=cluster.name,
        namespace=account.namespace,
        service_account=account.name,
        endpoint=endpoints(program.plan, assets.resources)[ENDPOINT]["name"],
        environment=versions(program.plan)["environment"][ENVIRONMENT],
        pipeline_url=pipelines.pipeline["url"],
        pipeline_version=pipelines.pipeline["version"],
    )
    opts = pulumi.ResourceOptions(depends_on=[pipelines, objects, assets])
    pulumi.export("runs", {each.name: Run(each, target, opts).run for each in runs})
