"""Submit the training pipeline, watch it, and read the gate's decision."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from infra import NAMESPACE
from infra.outputs import StackOutputs, versions
from pulumi_azureml import CatalogueErrors, CatalogueSettings, ConfigKeys, load_catalogue
from pulumi_azureml.operations import REGISTRATION, JobStep, failure_text, follow_job, git_commit, job_output
from release.errors import ReleaseError
from release.stack import ROOT

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# The pipeline's output with the gate's decision. `REGISTRATION` has the registered version.
DECISION = "decision/report.json"


@dataclass(frozen=True)
class Training:
    """A pipeline job that completed.

    Attributes:
        job: Name of the job.
        studio_url: Its page in the studio.
        steps: Its steps, in the order in which they started.
        registered: Whether the gate accepted the model.
        model: Name of the model.
        version: Registered version, or None if the gate refused the model.
        reason: Reason that the gate gives.
        metrics: Metrics of the hold-out evaluation.
    """

    job: str
    studio_url: str | None
    steps: tuple[JobStep, ...]
    registered: bool
    model: str
    version: str | None
    reason: str
    metrics: Mapping[str, float]


def submit(ml: MLClient, outputs: StackOutputs, pipeline: str, inputs: Mapping[str, str]) -> Any:
    """Submit a pipeline with the asset versions that the stack deployed, and return the job.

    Raises:
        ReleaseError: The asset files have problems or differ from the deployed versions, or an input is unknown.
    """
    definition = resolved_pipeline(outputs, pipeline)
    known = definition.setdefault("inputs", {})
    for name, value in inputs.items():
        if name not in known:
            raise ReleaseError(f"pipeline '{pipeline}' has no input '{name}'; inputs: {', '.join(sorted(known))}")
        known[name] = yaml.safe_load(value)
    if "git_sha" in known and "git_sha" not in inputs:
        known["git_sha"] = git_commit(ROOT)
    from azure.ai.ml import load_job

    definition.pop("name", None)  # a job's name is its identity, so Azure gives every submission a new one
    job = load_job(io.StringIO(yaml.safe_dump(definition, sort_keys=False)), relative_origin=str(ROOT / "Pulumi.yaml"))
    return ml.jobs.create_or_update(job)


def resolved_pipeline(outputs: StackOutputs, pipeline: str) -> dict[str, Any]:
    """Return a pipeline's definition with references to the deployed versions.

    Raises:
        ReleaseError: The asset files have problems or differ from the deployed versions.
    """
    settings = CatalogueSettings(
        computes=frozenset(outputs.compute),
        build_images=outputs.environment_image is not None,
        login_server=outputs.login_server,
        registry=outputs.registry,
        config_keys=ConfigKeys(overrides=f"{NAMESPACE}:overrides"),
        overrides=outputs.overrides,
    )
    try:
        catalogue = load_catalogue(ROOT, settings)
    except CatalogueErrors as error:
        raise ReleaseError(str(error)) from error
    names = [asset.name for asset in catalogue.of("pipeline_job")]
    if pipeline not in names:
        raise ReleaseError(f"pipelines/{pipeline}.yml does not exist; pipelines: {', '.join(names) or 'none'}")
    changed = [
        f"{kind} {name} (deployed: {outputs.assets.get(kind, {}).get(name, 'none')}, files: {version})"
        for kind, assets in versions(catalogue).items()
        for name, version in assets.items()
        if outputs.assets.get(kind, {}).get(name) != version
    ]
    if changed:
        raise ReleaseError(
            f"the asset files differ from the deployed versions: {', '.join(changed)}", fix="pulumi up, or release up"
        )
    return dict(catalogue["pipeline_job", pipeline].definition)


def registered(ml: MLClient, pipeline: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (name, version) of the latest version of the model that a pipeline trains, or None if there is none."""
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import ResourceNotFoundError

    name = (pipeline.get("inputs") or {}).get("model_name")
    if name is None:
        return None
    try:
        model = ml.models.get(str(name), label="latest")
    except (ResourceNotFoundError, ValidationException):  # the client raises the latter if all versions are archived
        return None
    return str(name), str(model.version)


def watch(ml: MLClient, job: Any, say: Callable[[str], None]) -> Training:
    """Wait for a pipeline job, report when steps start and end, and read the gate's decision.

    Raises:
        ReleaseError: The job did not complete. The message has the last lines of the failed step's log.
    """
    ended = follow_job(ml, job.name, say)
    if ended.status != "Completed":
        raise ReleaseError(f"job {job.name} ended with status {ended.status}{failure_text(ml, ended)}")
    decision, registration = _read_outputs(ml, job.name)
    return Training(
        job=job.name,
        studio_url=job.studio_url,
        steps=ended.steps,
        registered=bool(registration["registered"]),
        model=str(registration["name"]),
        version=str(registration["version"]) if registration["registered"] else None,
        reason=str(registration["reason"]),
        metrics={name: value for name, value in decision.get("metrics", {}).items() if isinstance(value, int | float)},
    )


def _read_outputs(ml: MLClient, job: str) -> tuple[dict[str, Any], dict[str, Any]]:
    read = []
    for path in (DECISION, REGISTRATION):
        found = job_output(ml, job, path)
        if found is None:
            raise ReleaseError(
                f"job {job} completed without {path}",
                fix="add the outputs `decision` and `registration` to the pipeline, as in pipelines/training.yml",
            )
        read.append(found)
    return read[0], read[1]
