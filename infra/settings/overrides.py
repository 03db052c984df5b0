"""The settings of overrides: the keys below `azureml-platform:overrides`."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.settings.group import Group, Number
from pulumi_azureml import (
    DeploymentOverrides,
    EndpointOverrides,
    Overrides,
    PipelineOverrides,
    ScheduleOverrides,
)


def _as_text(value: Any) -> Any:
    """Convert a value of an environment variable. `pulumi config set --path` stores `1` and `true` without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("must be text, a number, true or false")
    return value


Variable = Annotated[str, BeforeValidator(_as_text)]
InputValue = Annotated[Any, AfterValidator(_scalar)]


class DeploymentOverrideSettings(Group):
    """Values of a deployment in place of those in its file."""

    instance_type: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        description="Instance type of an online deployment. A batch deployment has the nodes of its cluster.",
        examples=["Standard_DS2_v2"],
    )
    instance_count: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Number of instances of an online deployment (with `rollout.autoscale`, the initial number), or of "
        "nodes for each job of a batch deployment.",
        examples=[2],
    )
    environment_variables: dict[str, Variable] = Field(
        default_factory=dict,
        description="Environment variables of the scoring script. They are added to those in the file. Do not set "
        "secrets here, because Azure shows the values to every reader of the workspace.",
        examples=["LOG_LEVEL: debug"],
    )
    compute: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        description="Compute cluster of a batch deployment.",
        examples=["cpu-cluster"],
    )
    sampling_rate: Number | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of the requests that the `data_collector` of an online deployment collects. See "
        "[what it costs](monitoring.md#cost-privacy-and-retention).",
        examples=[0.1],
    )


class EndpointOverrideSettings(Group):
    """What differs for an online or batch endpoint."""

    exclude: bool = Field(
        default=False,
        description="Leave the endpoint and its deployments out of the stack. An update deletes them if they exist.",
    )
    copy_of: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        description="Create this endpoint, which no file defines, from the files of another one, with its deployments. "
        "`release train` promotes to the original only, and `release publish` promotes the shared version to the copy.",
        examples=["flight-delay"],
    )
    deployments: dict[str, DeploymentOverrideSettings] = Field(
        default_factory=dict, description="Values of its deployments, by the name in the deployment's file."
    )

    @model_validator(mode="after")
    def _something_to_set(self) -> Self:
        if self.exclude and self.deployments:
            raise ValueError("exclude must not be true if deployments is set; there is no deployment to change")
        if self.exclude and self.copy_of:
            raise ValueError("exclude must not be true if copyOf is set; remove the copy instead")
        return self


class ScheduleOverrideSettings(Group):
    """What differs for a schedule."""

    exclude: bool = Field(
        default=False, description="Leave the schedule out of the stack. An update deletes it if it exists."
    )
    is_enabled: bool | None = Field(default=None, description="`false` pauses the schedule, `true` runs it.")

    @model_validator(mode="after")
    def _something_to_set(self) -> Self:
        if self.exclude and self.is_enabled is not None:
            raise ValueError("exclude must not be true if isEnabled is set; there is no schedule to change")
        return self


class PipelineOverrideSettings(Group):
    """What differs for a pipeline, wherever it runs: in its schedules, in updates and in `release train`."""

    inputs: dict[str, InputValue] = Field(
        default_factory=dict,
        description="Values of the pipeline's inputs: text, a number, true or false, or the path of its data, such as "
        "`azureml:holidays@latest`. An input that a schedule's own file sets keeps that value.",
        examples=["sample_fraction: 0.1"],
    )
    environment_variables: dict[str, Variable] = Field(
        default_factory=dict,
        description="Environment variables of each command and parallel step. They are added to those in the files. "
        "Do not set secrets here.",
        examples=["LOG_LEVEL: debug"],
    )


class OverridesSettings(Group):
    """What this stack has in place of the values in the asset files. Previews show both values."""

    endpoints: dict[str, EndpointOverrideSettings] = Field(
        default_factory=dict, description="Online and batch endpoints, by the name in their file."
    )
    schedules: dict[str, ScheduleOverrideSettings] = Field(
        default_factory=dict, description="Schedules, by the name in their file."
    )
    pipelines: dict[str, PipelineOverrideSettings] = Field(
        default_factory=dict, description="Pipelines, by the name of their file without `.yml`."
    )

    @property
    def planned(self) -> Overrides:
        """Return the overrides in the form that the planning of the assets needs."""
        return Overrides(
            endpoints={
                name: EndpointOverrides(
                    exclude=each.exclude,
                    copy_of=each.copy_of,
                    deployments={key: DeploymentOverrides(**dict(value)) for key, value in each.deployments.items()},
                )
                for name, each in self.endpoints.items()
            },
            schedules={name: ScheduleOverrides(**dict(each)) for name, each in self.schedules.items()},
            pipelines={name: PipelineOverrides(**dict(each)) for name, each in self.pipelines.items()},
        )
