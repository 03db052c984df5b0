"""Pipeline jobs that an update runs when their content changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, overload

import pulumi

from pulumi_azureml.planning import Asset, Catalogue
from pulumi_azureml.resources.arguments import Arguments
from pulumi_azureml.resources.declarations import Declarations
from pulumi_azureml.resources.places import RegistryArgs, WorkspaceArgs
from pulumi_azureml.resources.planned import Planned
from pulumi_azureml.resources.resource import Resource


@dataclass(frozen=True, kw_only=True)
class PipelineJobArgs(Arguments):
    """Arguments of `PipelineJob`: the keys of a pipeline job's CLI v2 YAML, and how long to wait.

    Attributes:
        display_name: a name for users. It can change after the job has run.
        experiment_name: the experiment of the job. The default is the resource's name.
        settings: settings such as `{"default_compute": "cpu-cluster"}`.
        inputs: name → value, or `{type, path}`.
        outputs: name → `{type, …}`.
        jobs: the steps. Components are resources or `azureml:NAME:VERSION`.
        timeout_minutes: how long an update waits. The job continues after that, and the next update waits again.
        extra: keys that are rarely needed (`identity`, `compute`, `properties`, …).
    """

    kind = "pipeline_job"
    excluded = Arguments.excluded | {"name", "timeout_minutes", "extra"}

    display_name: pulumi.Input[str] | None = None
    experiment_name: str | None = None
    settings: Mapping[str, Any] | None = None
    inputs: Mapping[str, Any] | None = None
    outputs: Mapping[str, Any] | None = None
    jobs: Mapping[str, Any]
    timeout_minutes: int = 24 * 60
    extra: Mapping[str, Any] | None = None

    def documents(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return the pipeline under the name of a file, which becomes its name."""
        pipeline = {"type": "pipeline", **self.definition(), **self.written("extra", self.extra or {})}
        return {self.name: (self.kind, pipeline)}

    def planned(self, plan: Catalogue) -> Planned:
        """Add how long to wait."""
        return replace(super().planned(plan), own={"timeout_minutes": self.timeout_minutes})


class PipelineJob(Resource, module="azureml", name="PipelineJob"):
    """A completed pipeline job for the pipeline's current content.

    New content (a step's code, an environment, an input …) is submitted as a new job, and the update waits for it. An
    interrupted attempt is found by its name and not submitted twice. Display name, description and tags are updated in
    place. A refresh does not submit jobs. Removal cancels running jobs and archives all of them. Outputs: `job` (its
    name), `status`, `studio_url`, `metrics` (MLflow's, `<step>.<metric>`), `outputs` (name → URI, valid as a `path:`),
    `model` (the registered model, `azureml:NAME:VERSION`, if the pipeline's output `registration` reports one, else
    empty). Fails if the job fails, with the step and the end of its log. The next update makes a new attempt.
    """

    kind = "pipeline_job"
    arguments = PipelineJobArgs
    prefix = "pipeline-job"
    is_needed = False  # a schedule needs the pipeline, but not a run of it

    job: pulumi.Output[str]
    status: pulumi.Output[str]
    studio_url: pulumi.Output[str]
    metrics: pulumi.Output[dict[str, float]]
    outputs: pulumi.Output[dict[str, str]]
    model: pulumi.Output[str]

    @overload
    def __init__(
        self, resource_name: str, args: PipelineJobArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None: ...
    @overload
    def __init__(
        self,
        resource_name: str,
        *,
        opts: pulumi.ResourceOptions | None = None,
        workspace: WorkspaceArgs | RegistryArgs,
        name: str = "",
        description: pulumi.Input[str] | None = None,
        tags: Mapping[str, pulumi.Input[str]] | None = None,
        display_name: pulumi.Input[str] | None = None,
        experiment_name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        jobs: Mapping[str, Any],
        timeout_minutes: int = 24 * 60,
        extra: Mapping[str, Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        resource_name: str,
        args: PipelineJobArgs | None = None,
        opts: pulumi.ResourceOptions | None = None,
        **values: Any,
    ) -> None:
        """Take arguments by keyword or as an object."""
        super().__init__(resource_name, args, opts, **values)

    @classmethod
    def declare(cls, asset: Asset, declarations: Declarations) -> Self | None:
        """Run the pipelines that the program names. Schedules run the others."""
        minutes = declarations.args.runs.get(asset.name)
        if minutes is None:
            return None
        return cls.of(asset, declarations, declarations.planned(asset, timeout_minutes=minutes))


RESOURCE = PipelineJob
