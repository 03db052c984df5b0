"""The stack's outputs: a contract with everything that works on a deployed platform.

The release tool and both CI systems read these and nothing else. `docs/stack-outputs.schema.json` is generated from
here. No output is secret.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast, get_args

import pulumi
from pydantic import BaseModel, ConfigDict, Field

from pulumi_azureml import Asset, Catalogue
from pulumi_azureml.planning.kinds import KINDS
from pulumi_azureml.planning.kinds.batch_endpoint import default_deployment
from pulumi_azureml.planning.triggers import next_fire_times

ImageReference = Annotated[str, Field(pattern=r"^[a-z0-9]+\.[a-z0-9.]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleOutput(_Part):
    """A schedule of a pipeline."""

    trigger: str = Field(description="Cron expression, or the recurrence in words.", examples=["30 4 * * *"])
    time_zone: str = Field(description="Time zone of the trigger.", examples=["UTC"])
    is_enabled: bool = Field(default=True, description="Whether it fires; false when it is paused.")
    next_fire_times: list[str] = Field(
        default_factory=list,
        description="The next five times it fires after the update that wrote this, in UTC; none when it is paused or "
        "has ended.",
        examples=[["2026-11-23T04:30:00Z"]],
    )


class EndpointOutput(_Part):
    """An endpoint, with or without a model behind it."""

    kind: Literal["online", "batch"] = Field(description="How it scores: request by request, or files by a job.")
    auth_mode: Literal["key", "aml_token", "aad_token"] = Field(description="How a caller proves who it is.")
    scoring_uri: str = Field(description="Where requests are sent.")
    deployment: str | None = Field(description="The deployment that gets the traffic; null before a first promotion.")
    serves: str | None = Field(
        default=None,
        description="The model whose promoted version it serves, `*` for any; absent when no model is promoted to it.",
    )


class ModelOutput(_Part):
    """The model version that an endpoint is configured to serve."""

    name: str = Field(description="Name of the registered model.")
    version: str = Field(description="Version of the registered model.")


class JobOutput(_Part):
    """The job of a pipeline that the stack runs (`assets.run`), for the content that the pipeline has now."""

    name: str = Field(description="The job's name, as `az ml job show --name` takes it.")
    status: str = Field(description="How it ended.", examples=["Completed"])
    studio_url: str = Field(description="Its page in the studio.")
    metrics: dict[str, float] = Field(description="What its steps logged with MLflow: `<step>.<metric>` to value.")
    outputs: dict[str, str] = Field(description="Where its outputs are: name to URI, good as a `path:` in YAML.")
    model: str | None = Field(
        default=None,
        description="What it registered, `azureml:NAME:VERSION`; absent where it registered none, as below the gate.",
    )


class StackOutputs(_Part):
    """Outputs of one stack, as `pulumi stack output --json` prints them."""

    outputs_version: Literal[1] = Field(description="Version of this contract; a breaking change counts it up.")
    subscription_id: str = Field(description="Azure subscription.")
    resource_group: str = Field(description="Name of the resource group.")
    workspace: str = Field(description="Name of the machine learning workspace.")
    workspace_id: str = Field(description="ARM resource id of the machine learning workspace.")
    container_registry: str = Field(description="Name of the container registry.")
    login_server: str = Field(description="Host name of the container registry.")
    environment_image: ImageReference | None = Field(
        default=None,
        description="The training environment's image as name@digest; absent where the stack does not build it, since "
        "Pulumi keeps no empty outputs.",
    )
    registry: str | None = Field(
        default=None,
        description="Name of the Azure Machine Learning registry that assets are shared through; absent where the "
        "stack names none.",
    )
    compute: list[str] = Field(description="Names of the compute clusters.")
    assets: dict[str, dict[str, str]] = Field(description="Asset versions: kind, then name, to version.")
    schedules: dict[str, ScheduleOutput] = Field(description="Schedules by name.")
    endpoints: dict[str, EndpointOutput] = Field(description="Endpoints by name.")
    jobs: dict[str, JobOutput] = Field(
        default_factory=dict, description="Jobs that updates ran, by their pipeline's name; empty where they run none."
    )
    models: dict[str, ModelOutput] = Field(description="Promoted models by endpoint name.")


def export(**values: pulumi.Input[Any]) -> None:
    """Export every output of the contract.

    Args:
        values: one value, known now or later, for each field of `StackOutputs` but its version.

    Raises:
        TypeError: an output is missing or is not in the contract.
    """
    wanted = set(StackOutputs.model_fields) - {"outputs_version"}
    if wanted != set(values):
        raise TypeError(f"stack outputs missing {sorted(wanted - set(values))}, unknown {sorted(set(values) - wanted)}")
    (version,) = get_args(StackOutputs.model_fields["outputs_version"].annotation)
    for name, value in {"outputs_version": version, **values}.items():
        pulumi.export(name, value)


def parse(values: Mapping[str, Any]) -> StackOutputs:
    """Read the outputs of a deployed stack, e.g. parsed from `pulumi stack output --json`.

    Raises:
        pydantic.ValidationError: the stack was not deployed by this program, or only in part.
    """
    return StackOutputs.model_validate(values)


def versions(catalogue: Catalogue) -> dict[str, dict[str, str]]:
    """Planned versions of the assets that have one in Azure Machine Learning: kind, then name, to version."""
    return {
        kind: {asset.name: asset.version for asset in sorted(assets, key=lambda asset: asset.name)}
        for kind, each in KINDS.items()
        if each.versioned and (assets := catalogue.of(kind))
    }


def endpoints(catalogue: Catalogue, resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Endpoints as the stack outputs have them; `resources` by kind and name."""
    serves = {
        asset.name.partition("/")[0]: asset.serves
        for kind in ("online_deployment", "batch_deployment")
        for asset in catalogue.of(kind)
        if asset.serves is not None
    }
    online = {
        asset.name: {
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
            "kind": "batch",
            "auth_mode": "aad_token",
            "scoring_uri": resources[asset.kind][asset.name].scoring_uri,
            "deployment": _default_deployment(asset, resources.get("batch_deployment", {})),
            "serves": serves.get(asset.name),
        }
        for asset in catalogue.of("batch_endpoint")
    }
    return online | batch


def _default_deployment(endpoint: Asset, deployments: Mapping[str, Any]) -> pulumi.Output[str] | None:
    """Return the name in Azure of the deployment that an invocation begins by default; None when there is none yet."""
    default = default_deployment(endpoint.definition)
    for name, made in deployments.items():
        of, _, deployment = name.partition("/")
        if of == endpoint.name and default in (None, deployment):
            return cast("pulumi.Output[str]", made.live)
    return None


def jobs(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Jobs as the stack outputs have them; `resources` by kind and name."""
    return {
        name: {
            "name": made.job,
            **{each: getattr(made, each) for each in ("status", "studio_url", "metrics", "outputs")},
            "model": made.model.apply(lambda model: model or None),
        }
        for name, made in resources.get("pipeline_job", {}).items()
    }


def schedules(catalogue: Catalogue, now: datetime) -> dict[str, ScheduleOutput]:
    """When each schedule fires after `now`, an aware moment."""
    return {
        asset.name: _schedule(asset.definition["trigger"], asset.definition.get("is_enabled", True), now)
        for asset in sorted(catalogue.of("schedule"), key=lambda asset: asset.name)
    }


def _schedule(trigger: dict[str, Any], is_enabled: bool, now: datetime) -> ScheduleOutput:
    times = next_fire_times(trigger, now) if is_enabled else []
    return ScheduleOutput(
        trigger=trigger.get("expression") or f"every {trigger['interval']} {trigger['frequency']}",
        time_zone=trigger.get("time_zone", "UTC"),
        is_enabled=is_enabled,
        next_fire_times=[time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times],
    )
