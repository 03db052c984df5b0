"""Values that a stack sets in place of those in the files, and the endpoints and schedules that it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DeploymentOverrides:
    """Values of a deployment. None leaves the file's value.

    Attributes:
        instance_type: of an online deployment.
        instance_count: of an online deployment, or of the jobs of a batch deployment.
        environment_variables: added to the file's. They win over those of the same name.
        compute: the cluster of a batch deployment.
        sampling_rate: the share of requests that an online deployment collects, greater than 0 and at most 1.
    """

    instance_type: str | None = None
    instance_count: int | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    compute: str | None = None
    sampling_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointOverrides:
    """Values of an online or batch endpoint's deployments, by name.

    Attributes:
        exclude: leave the endpoint and its deployments out.
        copy_of: the endpoint whose files define this one too, which no file defines by its own name.
        deployments: by the deployment's name in its file.
    """

    exclude: bool = False
    copy_of: str | None = None
    deployments: Mapping[str, DeploymentOverrides] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScheduleOverrides:
    """Values of a schedule. None leaves the file's value.

    Attributes:
        exclude: leave the schedule out.
        is_enabled: False pauses it.
    """

    exclude: bool = False
    is_enabled: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PipelineOverrides:
    """Values of a pipeline, wherever it runs: in its schedules and in updates.

    Attributes:
        inputs: values of the pipeline's inputs, of the types that the components declare.
        environment_variables: added to those of each command and parallel step.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    environment_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """All that a stack sets in place of the files, by name: of the endpoint, the schedule, the pipeline's file."""

    endpoints: Mapping[str, EndpointOverrides] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleOverrides] = field(default_factory=dict)
    pipelines: Mapping[str, PipelineOverrides] = field(default_factory=dict)


@dataclass(frozen=True)
class Overridden:
    """A value that a stack sets.

    Attributes:
        option: where it is set: a configuration key, or an argument of the program.
        in_file: the file's value; None if the file has none.
    """

    option: str
    in_file: Any
