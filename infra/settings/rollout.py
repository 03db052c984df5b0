"""The settings of rollouts: the keys below `azureml-platform:rollout`, as `pulumi_azureml` declares and checks them."""

import os
from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from infra import ROLL_OUT_AT_ONCE
from pulumi_azureml import AutoscaleArgs, RolloutArgs


@dataclass(frozen=True, kw_only=True)
class RolloutSettings(RolloutArgs):
    """How a new deployment takes over an endpoint's traffic."""

    autoscale: Annotated[
        dict[str, AutoscaleArgs],
        Field(
            description="Autoscale of managed endpoints, by endpoint name. Each new deployment gets it before its "
            "traffic. The deployment's `instance_count` is then only its initial count.",
        ),
    ] = field(default_factory=dict)

    @property
    def applied(self) -> RolloutArgs:
        """The rollout of this run: one step without a bake if the release asks for it, and otherwise these settings."""
        return RolloutArgs() if os.environ.get(ROLL_OUT_AT_ONCE) else self
