"""What a training pipeline's job led to: the gate's decision, and the registered model."""

from __future__ import annotations

import math
import re
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

# What `register` writes to a model: the pipeline job that trained it.
_JOB_TAG = "pipeline_job"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
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
        ReleaseError: The job has no decision or no registration, one of them is incomplete, or they contradict.
    """
    decision, registration = read_decision(ml, job.name), _registration(ml, job.name)
    missing = [key for key in ("registered", "name", "reason") if key not in registration]
    if missing:
        raise ReleaseError(f"{REGISTRATION} of job {job.name} has no {', '.join(missing)}")
    registered, name = registration["registered"], str(registration["name"])
    if not isinstance(registered, bool):
        raise ReleaseError(f"{REGISTRATION} of job {job.name}: registered must be true or false, not {registered!r}")
    if not _NAME.fullmatch(name):
        raise ReleaseError(f"{REGISTRATION} of job {job.name}: no model can have the name {name!r}")
    if registered and not registration.get("version"):
        raise ReleaseError(f"{REGISTRATION} of job {job.name} says that a model is registered, but has no version")
    if registered and not (decision.accepted and decision.model == name):
        decided = "accepted" if decision.accepted else "refused"
        raise ReleaseError(
            f"job {job.name} registered model {name}, and its gate {decided} model {decision.model}",
            fix="let the pipeline register the model of the decision, if its deploy_flag is 1: see docs/gate.md",
        )
    return Training(
        pipeline=pipeline,
        job=job.name,
        studio_url=job.studio_url,
        steps=ended.steps,
        registered=registered,
        model=name,
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
    """Return (name, version) of the latest version of the model that a pipeline trains.

    None: there is none, or no job says that its gate accepted it. Somebody may have registered it by hand.
    """
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import ResourceNotFoundError

    name = model_of(pipeline)
    if name is None:
        return None
    try:
        model = ml.models.get(name, label="latest")
        job = (model.tags or {}).get(_JOB_TAG)
        found = gated(ml, "", ml.jobs.get(job), EndedJob("Completed", ())) if job else None
    except (ResourceNotFoundError, ValidationException):  # the client raises the latter if all versions are archived
        return None
    except ReleaseError:  # no gate
        return None
    version = str(model.version)
    return (name, version) if found is not None and (found.model, found.version) == (name, version) else None


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
