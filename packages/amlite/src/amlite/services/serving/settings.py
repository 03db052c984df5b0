"""A deployment's server settings, read from its body, with the service's defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass

from amlite.core import durations
from amlite.core.errors import AzureError
from amlite.core.wire import Json

LONGEST_REQUEST_SECONDS = 180.0
_NUMBERS = ("WORKER_COUNT", "WORKER_TIMEOUT", "SCORING_TIMEOUT_MS", "AZUREML_DEBUG_PORT")
_NUMBER = re.compile(r"[0-9]{1,9}")
_MOST_WORKERS = 1000


@dataclass(frozen=True)
class Probe:
    """The conditions under which a server counts as failed, in seconds."""

    initial_delay: float = 10.0
    period: float = 10.0
    timeout: float = 2.0
    failure_threshold: int = 30

    @property
    def start_timeout(self) -> float:
        """The longest time until a server's first success, in seconds."""
        return self.initial_delay + self.period * self.failure_threshold


@dataclass(frozen=True)
class Requests:
    """A deployment's request settings: the `timeout` in seconds, and the maximum of concurrent requests."""

    timeout: float
    most_pending: int


def readiness(properties: Json) -> Probe:
    """Read the readiness probe of a deployment's properties; raises AzureError 400."""
    return _probe(properties, "readinessProbe")


def liveness(properties: Json) -> Probe:
    """Read the liveness probe of a deployment's properties; raises AzureError 400."""
    return _probe(properties, "livenessProbe")


def _probe(properties: Json, name: str) -> Probe:
    probe = properties.get(name) or {}
    default = Probe()
    found = Probe(
        seconds(probe.get("initialDelay"), default.initial_delay, f"{name}.initialDelay"),
        seconds(probe.get("period"), default.period, f"{name}.period"),
        seconds(probe.get("timeout"), default.timeout, f"{name}.timeout"),
        int(probe.get("failureThreshold") or default.failure_threshold),
    )
    for what, value in (
        ("period", found.period),
        ("timeout", found.timeout),
        ("failureThreshold", found.failure_threshold),
    ):
        if value < 1:
            raise AzureError(400, "BadArgument", f"properties.{name}.{what}: must be at least 1, not {value:g}.")
    return found


def requests(properties: Json, instances: int) -> Requests:
    """Read the request settings of a deployment's properties; raises AzureError 400."""
    settings = properties.get("requestSettings") or {}
    timeout = seconds(settings.get("requestTimeout"), 5.0, "requestSettings.requestTimeout")
    if not 0 < timeout <= LONGEST_REQUEST_SECONDS:
        raise AzureError(
            400,
            "BadArgument",
            "properties.requestSettings.requestTimeout: must be more than 0 and at most 180 seconds.",
        )
    concurrent = int(settings.get("maxConcurrentRequestsPerInstance") or 1)
    if concurrent < 1:
        raise AzureError(
            400, "BadArgument", "properties.requestSettings.maxConcurrentRequestsPerInstance: must be at least 1."
        )
    return Requests(timeout, 2 * concurrent * instances)


def instances(body: Json) -> int:
    """Read the number of instances; raises AzureError 400."""
    capacity = (body.get("sku") or {}).get("capacity", 1)
    if not isinstance(capacity, int) or capacity < 1:
        raise AzureError(400, "BadArgument", f"sku.capacity: instance count must be 1 or more, not {capacity!r}.")
    return capacity


def workers(properties: Json) -> int:
    """Read how many processes of Azure's inference server an instance has; raises AzureError 400.

    It also refuses other variables that this server reads as numbers, and that are none.
    """
    variables = {"WORKER_COUNT": "1", **(properties.get("environmentVariables") or {})}
    for name in _NUMBERS:
        given = str(variables.get(name, 1))
        if not _NUMBER.fullmatch(given):
            raise AzureError(
                400,
                "BadArgument",
                f"properties.environmentVariables.{name}: must be a whole number of at most 9 digits, not "
                f"'{given[:40]}'.",
            )
    count = int(variables["WORKER_COUNT"])
    if not 1 <= count <= _MOST_WORKERS:
        raise AzureError(
            400, "BadArgument", f"properties.environmentVariables.WORKER_COUNT: must be from 1 to {_MOST_WORKERS}."
        )
    return count


def seconds(duration: str | None, default: float, name: str) -> float:
    """Convert an ISO 8601 duration of days to seconds; raises AzureError 400."""
    if duration is None:
        return default
    found = durations.parse(duration)
    if found is None:
        raise AzureError(
            400, "BadArgument", f"properties.{name}: '{duration}' is not an ISO 8601 duration, e.g. PT10S."
        )
    return found.total_seconds()
