"""What a training pipeline's job led to: the gate's decision, and the registered model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations import REGISTRATION, EndedJob, JobStep, job_output
from release.errors import ReleaseError
from release.gate.decision import DECISION, Decision, read_decision
from release.jobs.measurements import measured
from release.jobs.records import Job

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

GATE = tuple(path.partition("/")[0] for path in (DECISION, REGISTRATION))
NO_GATE = (
    f"no pipeline of the project has a gate. Add the outputs `{'` and `'.join(GATE)}` to the pipeline that trains a "
    "model: see docs/gate.md"
)


@dataclass(frozen=True)
class Training:
    """A pipeline job that completed.

    Attributes:
        pipeline: Name of the pipeline.
        job: Name of the job.
        studio_url: Its page in the studio.
        steps: Its steps, in the order in which they started.
        registered: Whether the gate accepted the model.
        model: Name of the model, or None if the pipeline has no gate.
        version: Registered version, or None if the gate refused the model.
        reason: Reason that the gate gives.
        metrics: Metrics of the hold-out evaluation, or of all steps if the pipeline has no gate.
        decision: The gate's decision, or None if the pipeline has no gate.
    """

    pipeline: str
    job: str
    studio_url: str | None
    steps: tuple[JobStep, ...]
    registered: bool
    model: str | None
    version: str | None
    reason: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    decision: Decision | None = None


def gated(ml: MLClient, pipeline: str, job: Any, ended: EndedJob) -> Training:
    """Return the outcome of a job whose pipeline has a gate.

    Raises:
        ReleaseError: The job has no decision or no registration, or one of them is incomplete.
    """
    decision, registration = read_decision(ml, job.name), _registration(ml, job.name)
    missing = [key for key in ("registered", "name", "reason") if key not in registration]
    if missing:
        raise ReleaseError(f"{REGISTRATION} of job {job.name} has no {', '.join(missing)}")
    registered = bool(registration["registered"])
    if registered and not registration.get("version"):
        raise ReleaseError(f"{REGISTRATION} of job {job.name} says that a model is registered, but has no version")
    return Training(
        pipeline=pipeline,
        job=job.name,
        studio_url=job.studio_url,
        steps=ended.steps,
        registered=registered,
        model=str(registration["name"]),
        version=str(registration["version"]) if registered else None,
        reason=str(registration["reason"]),
        metrics={name: math.nan if value is None else value for name, value in decision.metrics.items()},
        decision=decision,
    )


def ungated(pipeline: str, job: Any, ended: EndedJob, record: Job) -> Training:
    """Return the outcome of a job whose pipeline has no gate. Its metrics are those that the steps logged."""
    return Training(
        pipeline=pipeline,
        job=job.name,
        studio_url=job.studio_url,
        steps=ended.steps,
        registered=False,
        model=None,
        version=None,
        reason=f"pipeline '{pipeline}' has no gate: it lacks the outputs `{'` and `'.join(GATE)}`",
        metrics=measured(record).metrics,
    )


def report(training: Training, promoted: list[str], *, trained: bool = True) -> dict[str, Any]:
    """Return the outcome as JSON. `trained` is false if it is that of an earlier job."""
    return {
        "trained": trained,
        "pipeline": training.pipeline,
        "job": training.job,
        "studio_url": training.studio_url,
        "status": "Completed",
        "registered": training.registered,
        "model": training.model,
        "version": training.version,
        "reason": training.reason,
        "metrics": dict(training.metrics),
        "decision": training.decision.model_dump() if training.decision is not None else None,
        "promoted": promoted,
    }


def untrained() -> dict[str, Any]:
    """Return the outcome of a project without a pipeline that trains a model, as JSON."""
    keys = ("pipeline", "job", "studio_url", "status", "model", "version", "decision")
    nothing: dict[str, Any] = dict.fromkeys(keys)
    return {"trained": False, **nothing, "registered": False, "reason": NO_GATE, "metrics": {}, "promoted": []}


def registered(ml: MLClient, pipeline: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (name, version) of the latest version of the model that a pipeline trains, or None if there is none."""
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import ResourceNotFoundError

    name = model_of(pipeline)
    if name is None:
        return None
    try:
        model = ml.models.get(name, label="latest")
    except (ResourceNotFoundError, ValidationException):  # the client raises the latter if all versions are archived
        return None
    return name, str(model.version)


def model_of(pipeline: Mapping[str, Any]) -> str | None:
    """Return the name of the model that a pipeline trains: its input `model_name`."""
    value = (pipeline.get("inputs") or {}).get("model_name")
    if isinstance(value, dict):
        value = value.get("value")
    return None if value is None else str(value)


def _registration(ml: MLClient, job: str) -> dict[str, Any]:
    try:
        found = job_output(ml, job, REGISTRATION)
    except ValueError as error:
        raise ReleaseError(f"{REGISTRATION} of job {job} is not valid JSON: {error}") from error
    if found is None:
        raise ReleaseError(
            f"job {job} completed without {REGISTRATION}",
            fix="add the output `registration` to the pipeline, as in pipelines/training.yml",
        )
    return found
