"""The stack outputs: the contract with all programs that work on a deployed platform.

The release and CI read these outputs and nothing else. No output is a secret. `docs/stack-outputs.schema.json` is
generated from this module.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast

import pulumi
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from pulumi_azureml import Asset, Catalogue, Overrides
from pulumi_azureml.planning import KINDS, default_deployment, next_fire_times

# A breaking change of the outputs increments it.
OUTPUTS_VERSION = 1
ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9]+\.[a-z0-9.]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleOutput(_Part):
    """A schedule of a pipeline."""

    trigger: str = Field(description="Cron expression, or recurrence in words.", examples=["30 4 * * *"])
    time_zone: str = Field(description="Time zone of the trigger.", examples=["UTC"])
    is_enabled: bool = Field(default=True, description="False if the schedule is paused.")
    next_fire_times: list[str] = Field(
        default_factory=list,
        description="The first five times after the update at which the schedule fires, in UTC. Empty if the schedule "
        "is paused or has ended, or if Azure counts its times from its creation because it has no `start_time`.",
        examples=[["2026-11-23T04:30:00Z"]],
    )


class EndpointOutput(_Part):
    """An endpoint, with or without a deployment."""

    name: str = Field(description="Name in Azure. The key of the endpoint is its name in the YAML.")
    kind: Literal["online", "batch"] = Field(
        description="`online` scores requests immediately. `batch` scores files in a job."
    )
    auth_mode: Literal["key", "aml_token", "aad_token"] = Field(description="Authentication of callers.")
    scoring_uri: str = Field(description="URI that requests are sent to.")
    deployment: str | None = Field(description="Deployment that gets the traffic. Null before the first promotion.")
    serves: str | None = Field(
        default=None,
        description="Name of the model whose promoted version the endpoint serves. `*` for any model. Absent if the "
        "endpoint does not serve promoted models.",
    )


class ModelOutput(_Part):
    """The promoted model version of an endpoint."""

    name: str = Field(description="Name of the registered model.")
    version: str = Field(description="Version of the registered model.")
    registry: str | None = Field(
        default=None, description="Registry that holds the version. Absent if it is in the workspace."
    )


class JobOutput(_Part):
    """The latest job of a pipeline that the stack runs (`assets.run`)."""

    name: str = Field(description="Name of the job, for `az ml job show --name`.")
    status: str = Field(description="Final status of the job.", examples=["Completed"])
    studio_url: str = Field(description="Page of the job in the studio.")
    metrics: dict[str, float] = Field(description="Metrics that the steps logged with MLflow, by `<step>.<metric>`.")
    outputs: dict[str, str] = Field(description="URIs of the job's outputs, by name. You can use them as `path:`.")
    model: str | None = Field(
        default=None,
        description="Registered model, as `azureml:NAME:VERSION`. Absent if the job registered no model, for example "
        "because the gate refused it.",
    )


class StackOutputs(_Part):
    """Outputs of a stack, as `pulumi stack output --json` prints them."""

    outputs_version: Literal[1] = Field(description="Version of this contract. A breaking change increments it.")
    subscription_id: str = Field(description="Id of the Azure subscription.")
    resource_group: str = Field(description="Name of the resource group.")
    workspace: str = Field(description="Name of the machine learning workspace.")
    workspace_id: str = Field(description="ARM resource id of the machine learning workspace.")
    container_registry: str = Field(description="Name of the container registry.")
    login_server: str = Field(description="Host name of the container registry.")
    environment_image: ImageReference | None = Field(
        default=None,
        description="Image of the training environment, as `name@digest`. Absent if the stack does not build it.",
    )
    registry: str | None = Field(
        default=None,
        description="Name of the Azure Machine Learning registry that shares assets. Absent if the stack has none.",
    )
    compute: list[str] = Field(description="Names of the compute clusters.")
    assets: dict[str, dict[str, str]] = Field(description="Asset versions, by kind and name.")
    schedules: dict[str, ScheduleOutput] = Field(description="Schedules in Azure, by name.")
    endpoints: dict[str, EndpointOutput] = Field(description="Endpoints, by name in the YAML.")
    files: list[str] = Field(
        default_factory=list, description="Patterns of the files with assets outside `ml/` and `pipelines/`."
    )
    overrides: Overrides = Field(
        default_factory=Overrides,
        description="Values of the stack file in place of those in the asset files. `release train` uses them too.",
    )
    jobs: dict[str, JobOutput] = Field(
        default_factory=dict, description="Jobs that `pulumi up` ran, by the name of their pipeline."
    )
    models: dict[str, ModelOutput] = Field(description="Promoted models, by the endpoint's name in the YAML.")


def export(**values: pulumi.Input[Any]) -> None:
    """Export every output of the contract.

    Args:
        values: A value or Pulumi output for each field of `StackOutputs` except `outputs_version`.

    Raises:
        TypeError: An output is missing, or is not part of the contract.
    """
    wanted = set(StackOutputs.model_fields) - {"outputs_version"}
    if wanted != set(values):
        missing, unknown = sorted(wanted - set(values)), sorted(set(values) - wanted)
        raise TypeError(f"stack outputs: missing {missing}, unknown {unknown}")
    for name, value in {"outputs_version": OUTPUTS_VERSION, **values}.items():
        pulumi.export(name, value)


def parse(values: Mapping[str, Any]) -> StackOutputs:
    """Read the outputs of a deployed stack, such as the JSON of `pulumi stack output --json`.

    A program may export more than the contract. Those outputs are left out here.

    Raises:
        pydantic.ValidationError: The stack was not deployed by this program, or only in part.
    """
    known = {name: value for name, value in values.items() if name in StackOutputs.model_fields}
    return StackOutputs.model_validate(_current(known))


def _current(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs with the keys that earlier versions of the program did not write."""
    endpoints = values.get("endpoints")
    if not isinstance(endpoints, Mapping):
        return dict(values)
    # An endpoint had its name in the YAML.
    named = {name: {"name": name, **each} if isinstance(each, Mapping) else each for name, each in endpoints.items()}
    return {**values, "endpoints": named}


def versions(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Return the planned versions, by kind and name, of the assets that have versions in Azure Machine Learning."""
    return {
        kind: {asset.name: asset.version for asset in sorted(assets, key=lambda asset: asset.name)}
        for kind, each in KINDS.items()
        if each.versioned and (assets := catalogue.of(kind))
    }


def overrides(given: Overrides) -> dict[str, Any]:
    """Return the stack file's values in place of those in the asset files as outputs."""
    values: dict[str, Any] = TypeAdapter(Overrides).dump_python(given, mode="json", exclude_defaults=True)
    return values


def endpoints(catalogue: Catalogue, resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the endpoints as outputs. `resources` has their Pulumi resources, by kind and name."""
    serves = {
        asset.name.partition("/")[0]: asset.serves
        for kind in ("online_deployment", "batch_deployment")
        for asset in catalogue.of(kind)
        if asset.serves is not None
    }
    online = {
        asset.name: {
            "name": asset.azure_name,
            "kind": "online",
            "auth_mode": asset.definition.get("auth_mode", "key"),
            "scoring_uri": resources[asset.kind][asset.name].scoring_uri,
            "deployment": resources[asset.kind][asset.name].live.apply(lambda live: live or None),
            "serves": serves.get(asset.name),
        }
        for asset in catalogue.of("online_endpoint")
    }
    batch = {
        asset.name: {
            "name": asset.azure_name,
            "kind": "batch",
            "auth_mode": "aad_token",
            "scoring_uri": resources[asset.kind][asset.name].scoring_uri,
            "deployment": _default_deployment(asset, catalogue, resources.get("batch_deployment", {})),
            "serves": serves.get(asset.name),
        }
        for asset in catalogue.of("batch_endpoint")
    }
    return online | batch


def _default_deployment(
    endpoint: Asset, catalogue: Catalogue, deployments: Mapping[str, Any]
) -> pulumi.Output[str] | None:
    """Return the name in Azure of a batch endpoint's default deployment, or None if the endpoint has none yet."""
    resource = deployments.get(f"{endpoint.name}/{default_deployment(endpoint, catalogue)}")
    return cast("pulumi.Output[str]", resource.live) if resource is not None else None


def jobs(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the jobs as outputs. `resources` has their Pulumi resources, by kind and name."""
    return {
        name: {
            "name": job.job,
            **{key: getattr(job, key) for key in ("status", "studio_url", "metrics", "outputs")},
            "model": job.model.apply(lambda model: model or None),
        }
        for name, job in resources.get("pipeline_job", {}).items()
    }


def schedules(catalogue: Catalogue, now: datetime) -> dict[str, ScheduleOutput]:
    """Return the schedules as outputs, with the times at which they fire after `now` (with a time zone).

    A monitor that waits for its deployment is not in Azure.
    """
    return {
        asset.name: _schedule(asset.definition["trigger"], asset.definition.get("is_enabled", True), now)
        for asset in sorted(catalogue.of("schedule"), key=lambda asset: asset.name)
        if asset.waiting_for is None
    }


def _schedule(trigger: dict[str, Any], is_enabled: bool, now: datetime) -> ScheduleOutput:
    times = next_fire_times(trigger, now) if is_enabled else []
    return ScheduleOutput(
        trigger=trigger.get("expression") or f"every {trigger['interval']} {trigger['frequency']}",
        time_zone=trigger.get("time_zone", "UTC"),
        is_enabled=is_enabled,
        next_fire_times=[time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times],
    )
