"""Submit the training pipeline, watch it, and read what the gate decided."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from infra.outputs import StackOutputs, versions
from pulumi_azureml.kinds import KINDS
from pulumi_azureml.operations.jobs import REGISTRATION, Step, commit, follow, read_output, why
from pulumi_azureml.planning import CatalogueErrors, CatalogueSettings, load
from release.errors import ReleaseError
from release.stack import ROOT

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# The pipeline's output that holds what the gate decided; `REGISTRATION` holds what was registered.
DECISION = "decision/report.json"


@dataclass(frozen=True)
class Training:
    """A pipeline job that completed.

    Attributes:
        job: the job's name.
        studio_url: where it can be looked at.
        steps: in the order they began.
        registered: whether the gate let the model through.
        model: name of the model; `version` of what was registered, or None.
        reason: why, in the gate's words.
        metrics: of the hold-out evaluation.
    """

    job: str
    studio_url: str | None
    steps: tuple[Step, ...]
    registered: bool
    model: str
    version: str | None
    reason: str
    metrics: Mapping[str, float]


def submit(ml: MLClient, outputs: StackOutputs, pipeline: str, inputs: Mapping[str, str]) -> Any:
    """Submit a pipeline of the tree with the asset versions that the stack deployed, and return the job.

    Raises:
        ReleaseError: the tree is broken or differs from what is deployed, or an input is unknown.
    """
    definition = resolved_pipeline(outputs, pipeline)
    known = definition.setdefault("inputs", {})
    for name, value in inputs.items():
        if name not in known:
            raise ReleaseError(f"pipeline '{pipeline}' has no input '{name}'; inputs: {', '.join(sorted(known))}")
        known[name] = yaml.safe_load(value)
    if "git_sha" in known and "git_sha" not in inputs:
        known["git_sha"] = commit(ROOT)
    from azure.ai.ml import load_job

    definition.pop("name", None)  # a job's name is its identity: every submission gets a new one
    job = load_job(io.StringIO(yaml.safe_dump(definition, sort_keys=False)), relative_origin=str(ROOT / "Pulumi.yaml"))
    return ml.jobs.create_or_update(job)


def resolved_pipeline(outputs: StackOutputs, pipeline: str) -> dict[str, Any]:
    """Return a pipeline's definition with exact references, as the deployed stack has them."""
    settings = CatalogueSettings(
        computes=frozenset(outputs.compute),
        build_images=outputs.environment_image is not None,
        login_server=outputs.login_server,
        registry=outputs.registry,
    )
    try:
        catalogue = load(ROOT, KINDS, settings=settings)
    except CatalogueErrors as error:
        raise ReleaseError(str(error)) from error
    names = [asset.name for asset in catalogue.of("pipeline")]
    if pipeline not in names:
        raise ReleaseError(f"there is no pipeline '{pipeline}'; pipelines: {', '.join(names)}")
    changed = [
        f"{kind} {name} (deployed {outputs.assets.get(kind, {}).get(name, 'not at all')}, in the tree {version})"
        for kind, assets in versions(catalogue).items()
        for name, version in assets.items()
        if outputs.assets.get(kind, {}).get(name) != version
    ]
    if changed:
        raise ReleaseError(
            f"the tree is not what is deployed: {', '.join(changed)}; run pulumi up (or release up) first"
        )
    return dict(catalogue["pipeline", pipeline].definition)


def registered(ml: MLClient, pipeline: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (name, version) of the newest registered version of the model that a pipeline trains, or None."""
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import ResourceNotFoundError

    name = (pipeline.get("inputs") or {}).get("model_name")
    if name is None:
        return None
    try:
        model = ml.models.get(str(name), label="latest")
    except (ResourceNotFoundError, ValidationException):  # the client's own, where every version is archived
        return None
    return str(name), str(model.version)


def watch(ml: MLClient, job: Any, say: Callable[[str], None]) -> Training:
    """Watch a pipeline job to its end, saying when steps begin and end, and read the gate's decision.

    Raises:
        ReleaseError: it ended in any other status than Completed; the message has the failed step's last log lines.
    """
    ended = follow(ml, job.name, say)
    if ended.status != "Completed":
        raise ReleaseError(f"job {job.name} ended as {ended.status}{why(ml, ended)}")
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
        found = read_output(ml, job, path)
        if found is None:
            raise ReleaseError(
                f"job {job} completed without {path}: the pipeline must have the outputs decision and registration"
            )
        read.append(found)
    return read[0], read[1]
