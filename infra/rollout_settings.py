"""The typed settings of rollouts: the keys below `azureml-platform:rollout`."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from infra.settings_group import Group

# Azure Monitor counts by the minute and shows a minute about three minutes later.
_SHORTEST_BAKE = 300


class Quiet(StrEnum):
    """What becomes of a deployment that got too few requests to be judged."""

    PASSES = "pass"
    FAILS = "fail"


class Checks(Group):
    """What a new deployment has to show in each bake. Whatever fails returns all traffic to what served before."""

    max_error_percent: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Most percent of its requests that may fail: 5xx, 424 (the model failed), 408 (too slow) and 429 "
        "(too busy), as Azure Monitor counts them. Absent: not checked.",
        examples=[1],
    )
    max_latency_ms: int | None = Field(
        default=None,
        ge=1,
        description="Most milliseconds that 95 % of its requests may take, as Azure Monitor measures them. Absent: not "
        "checked.",
        examples=[250],
    )
    min_requests: int = Field(
        default=20, ge=1, description="Fewer requests than these in a bake are too few to judge errors and latency."
    )
    when_quiet: Quiet = Field(
        default=Quiet.FAILS, description="Whether a deployment that got too few requests passes or fails."
    )
    command: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="A program and its arguments, run in the project's folder at the end of each bake, with "
        "ENDPOINT_NAME, DEPLOYMENT_NAME, SCORING_URI and TRAFFIC_PERCENT in its environment. Another exit code than 0 "
        "fails the deployment.",
        examples=["python"],
    )
    command_seconds: int = Field(
        default=300, ge=1, le=86400, description="Seconds after which the command is ended and has failed."
    )
    command_key: bool = Field(
        default=False, description="Whether the command gets the endpoint's key or token as ENDPOINT_KEY."
    )
    command_variables: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="Environment variables of the deployer that the command gets too, by name. It sees none of them "
        "else but PATH, HOME, language, proxy and certificates.",
        examples=["AZURE_CLIENT_ID"],
    )

    @property
    def measures(self) -> bool:
        """Whether metrics are read."""
        return self.max_error_percent is not None or self.max_latency_ms is not None


class Autoscale(Group):
    """How many instances a managed deployment has: one more above a limit for five minutes, one less below half."""

    min_instances: int = Field(default=1, ge=1, le=1000, description="Fewest instances.")
    max_instances: int = Field(ge=1, le=1000, description="Most instances.", examples=[5])
    cpu_percent: int | None = Field(
        default=None, ge=1, le=99, description="Mean CPU use that adds an instance.", examples=[70]
    )
    latency_ms: int | None = Field(
        default=None, ge=1, description="95th percentile of the latency that adds an instance.", examples=[200]
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.min_instances > self.max_instances:
            raise ValueError(f"minInstances ({self.min_instances}) must not exceed maxInstances ({self.max_instances})")
        if self.cpu_percent is None and self.latency_ms is None:
            raise ValueError("needs cpuPercent, latencyMs or both: what to scale by")
        return self


class Rollout(Group):
    """How a new deployment takes over an endpoint's traffic."""

    steps: list[int] = Field(
        default=[100],
        min_length=1,
        max_length=20,
        description="Percentages of the traffic that a new deployment gets, one step after the other.",
        examples=[[10, 50, 100]],
    )
    bake_seconds: int = Field(
        default=0,
        ge=0,
        le=86400,
        description="Seconds that a new deployment has to prove itself after each step, the last one too: the old one "
        "is deleted after that.",
    )
    checks: Checks = Field(default_factory=Checks, description="What a new deployment has to show in each bake.")
    autoscale: dict[str, Autoscale] = Field(
        default_factory=dict,
        description="Autoscale by endpoint name, for managed endpoints. Each new deployment gets it before it gets "
        "traffic; the deployment's `instance_count` is then only its first.",
    )

    @model_validator(mode="after")
    def _rising_to_all(self) -> Self:
        if self.steps != sorted(set(self.steps)) or self.steps[0] < 1 or self.steps[-1] != 100:
            raise ValueError("steps must rise and end with 100, such as [10, 50, 100]")
        if self.checks.measures and self.bake_seconds < _SHORTEST_BAKE:
            raise ValueError(
                f"bakeSeconds must be {_SHORTEST_BAKE} or more where checks.maxErrorPercent or checks.maxLatencyMs is "
                f"set (it is {self.bake_seconds}): Azure Monitor shows requests minutes later"
            )
        return self
