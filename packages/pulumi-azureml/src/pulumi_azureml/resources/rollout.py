"""Arguments for rollouts, their checks and autoscale, with validation.

This is the only declaration. A program passes keyword arguments. A stack's configuration may be validated against the
same classes, where the keys are in camelCase: `azureml.RolloutArgs(**config.require_object("rollout"))`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import pulumi
from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.alias_generators import to_camel, to_snake
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

# Azure Monitor counts by the minute and publishes a minute about three minutes later.
SHORTEST_BAKE = 300
_CONFIG = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Validated:
    """Arguments that are validated on construction."""

    @model_validator(mode="wrap")
    @classmethod
    def _refused(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Raise pulumi.RunError in a program. Validating a file raises pydantic's error, with its locations."""
        try:
            return validate(value)
        except ValidationError as error:
            if isinstance(value, ArgsKwargs):
                raise pulumi.RunError(f"{cls.__name__}: {_in_words(error)}") from error
            raise


@dataclass(frozen=True, kw_only=True)
class ChecksArgs(Validated):
    """The checks of a new deployment in each bake. A failed check returns all traffic to the old deployment."""

    max_error_percent: Annotated[
        float | None,
        Field(
            ge=0,
            le=100,
            description="Maximum percentage of requests that may fail: 5xx, 424 (the model failed), 408 (too slow) and "
            "429 (too busy), as Azure Monitor counts them. If absent, not checked.",
            examples=[1],
        ),
    ] = None
    max_latency_ms: Annotated[
        int | None,
        Field(
            ge=1,
            description="Maximum 95th percentile of the latency in milliseconds, as Azure Monitor measures it. If "
            "absent, not checked.",
            examples=[250],
        ),
    ] = None
    min_requests: Annotated[
        int,
        Field(ge=1, description="Minimum number of requests in a bake to judge errors and latency."),
    ] = 20
    when_quiet: Annotated[
        Literal["pass", "fail"],
        Field(description="Result for a deployment with fewer requests than that."),
    ] = "fail"
    command: Annotated[
        Sequence[str],
        Field(
            max_length=50,
            description="Program and arguments to run in the project's folder at the end of each bake. Its environment "
            "contains ENDPOINT_NAME, DEPLOYMENT_NAME, SCORING_URI and TRAFFIC_PERCENT. An exit code other than 0 fails "
            "the deployment.",
            examples=["python"],
        ),
    ] = ()
    command_seconds: Annotated[
        int, Field(ge=1, le=86400, description="Timeout of the command in seconds. The command then fails.")
    ] = 300
    command_key: Annotated[
        bool, Field(description="Pass the endpoint's key or token to the command as ENDPOINT_KEY.")
    ] = False
    command_variables: Annotated[
        Sequence[str],
        Field(
            max_length=50,
            description="Names of more environment variables to pass to the command. By default it gets only the "
            "deployer's PATH, HOME, and variables for language, proxy and certificates.",
            examples=["AZURE_CLIENT_ID"],
        ),
    ] = ()

    @property
    def measures(self) -> bool:
        """Whether metrics are read."""
        return self.max_error_percent is not None or self.max_latency_ms is not None


@dataclass(frozen=True, kw_only=True)
class AutoscaleArgs(Validated):
    """Autoscale of a managed deployment.

    An instance is added after five minutes above a limit, and removed when all values are below half of their limits.
    """

    min_instances: Annotated[int, Field(ge=1, le=1000, description="Minimum number of instances.")] = 1
    max_instances: Annotated[int, Field(ge=1, le=1000, description="Maximum number of instances.", examples=[5])]
    cpu_percent: Annotated[
        int | None,
        Field(ge=1, le=99, description="Mean CPU usage in percent above which an instance is added.", examples=[70]),
    ] = None
    latency_ms: Annotated[
        int | None,
        Field(
            ge=1,
            description="95th percentile of the latency in milliseconds above which an instance is added.",
            examples=[200],
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse bounds in the wrong order, and autoscale without a metric."""
        if self.min_instances > self.max_instances:
            raise ValueError(
                f"min_instances ({self.min_instances}) must not exceed max_instances ({self.max_instances})"
            )
        if self.cpu_percent is None and self.latency_ms is None:
            raise ValueError("needs cpu_percent, latency_ms or both")


@dataclass(frozen=True, kw_only=True)
class RolloutArgs(Validated):
    """The steps in which a new deployment gets an endpoint's traffic."""

    steps: Annotated[
        Sequence[int],
        Field(
            min_length=1,
            max_length=20,
            description="Percentages of the traffic for the new deployment, step by step.",
            examples=[[10, 50, 100]],
        ),
    ] = (100,)
    bake_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=86400,
            description="Seconds to check a new deployment after each step, including the last. Then the old "
            "deployment is deleted.",
        ),
    ] = 0
    checks: Annotated[ChecksArgs, Field(description="Checks of a new deployment in each bake.")] = ChecksArgs()

    def __post_init__(self) -> None:
        """Refuse steps that do not rise to 100, and a bake that is too short to read metrics."""
        if list(self.steps) != sorted(set(self.steps)) or self.steps[0] < 1 or self.steps[-1] != 100:
            raise ValueError("steps must rise and end with 100, such as [10, 50, 100]")
        if self.checks.measures and self.bake_seconds < SHORTEST_BAKE:
            raise ValueError(
                f"bake_seconds must be {SHORTEST_BAKE} or more where checks.max_error_percent or checks.max_latency_ms "
                f"is set (it is {self.bake_seconds}): Azure Monitor shows requests minutes later"
            )


def _in_words(error: ValidationError) -> str:
    problems = []
    for each in error.errors(include_url=False):
        name = ".".join(to_snake(str(part)) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        problems.append(f"{name}: {message}" if name else message)
    return "; ".join(problems)
