"""Submit the training pipeline, watch it, and read what the gate decided."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra.catalogue import CatalogueErrors, CatalogueSettings, load
from infra.kinds import KINDS
from infra.outputs import StackOutputs
from infra.plan import versions
from release.errors import ReleaseError
from release.stack import ROOT

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_ENDED = frozenset({"Completed", "Failed", "Canceled", "NotResponding"})
_POLL_SECONDS = (0.5, 2.0)  # first and longest wait between two looks at the job
_LOG_LINES = 40
# The pipeline's outputs that hold what the gate decided and what was registered.
DECISION, REGISTRATION = "decision/report.json", "registration/registration.json"


@dataclass(frozen=True)
class Step:
    """One step of a pipeline job: name, status, seconds."""

    name: str
    status: str
    seconds: float


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


@dataclass
class _Watch:
    """When each step was first seen to begin and to end."""

    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)


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
        known["git_sha"] = _commit()
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
    from azure.core.exceptions import ResourceNotFoundError

    name = (pipeline.get("inputs") or {}).get("model_name")
    if name is None:
        return None
    try:
        model = ml.models.get(str(name), label="latest")
    except ResourceNotFoundError:
        return None
    return str(name), str(model.version)


def watch(ml: MLClient, job: Any, say: Callable[[str], None]) -> Training:
    """Watch a pipeline job to its end, saying when steps begin and end, and read the gate's decision.

    Raises:
        ReleaseError: it ended in any other status than Completed; the message has the failed step's last log lines.
    """
    seen = _Watch()
    wait = _POLL_SECONDS[0]
    while True:
        status = _status(ml.jobs.get(job.name))
        _look_at_steps(ml, job.name, seen, say)
        if status in _ENDED:
            break
        time.sleep(wait)
        wait = min(wait * 1.2, _POLL_SECONDS[1])
    if status != "Completed":
        failed = next((name for name, state in seen.status.items() if state == "Failed"), None)
        raise ReleaseError(f"job {job.name} ended as {status}{_why(ml, job.name, failed)}")
    decision, registration = _read_outputs(ml, job.name)
    steps = tuple(
        Step(name, seen.status[name], seen.ended.get(name, time.monotonic()) - begun)
        for name, begun in seen.began.items()
    )
    return Training(
        job=job.name,
        studio_url=job.studio_url,
        steps=steps,
        registered=bool(registration["registered"]),
        model=str(registration["name"]),
        version=str(registration["version"]) if registration["registered"] else None,
        reason=str(registration["reason"]),
        metrics={name: value for name, value in decision.get("metrics", {}).items() if isinstance(value, int | float)},
    )


def log_of(ml: MLClient, job: str, lines: int | None = None) -> str:
    """Return the end (or all) of a job's own log, as the workspace stored it."""
    with tempfile.TemporaryDirectory() as folder:
        ml.jobs.download(name=job, download_path=folder)
        logs = sorted(Path(folder).rglob("user_logs/*.txt"))
        text = "\n".join(path.read_text("utf-8", "replace") for path in logs)
    return "\n".join(text.splitlines()[-lines:]) if lines else text


def _look_at_steps(ml: MLClient, job: str, seen: _Watch, say: Callable[[str], None]) -> None:
    for child in ml.jobs.list(parent_job_name=job):
        name, status = child.display_name or child.name, _status(child)
        if status == seen.status.get(name):
            continue
        now = time.monotonic()
        if status not in ("NotStarted", "Queued"):
            seen.began.setdefault(name, now)
        if status in _ENDED:
            seen.began.setdefault(name, now)
            seen.ended[name] = now
            say(f"{name}: {status} after {now - seen.began[name]:.1f} s")
        elif status == "Running":
            say(f"{name}: running")
        seen.status[name] = status


def _status(job: Any) -> str:
    """Return a job's status as Azure writes it; the client gives some as text, some as its own enumeration."""
    return str(getattr(job.status, "value", job.status))


def _why(ml: MLClient, job: str, failed: str | None) -> str:
    """Return the failed step and its log's end for an error message."""
    if failed is None:
        return ""
    for child in ml.jobs.list(parent_job_name=job):
        if (child.display_name or child.name) == failed:
            return f": step '{failed}' failed. Last lines of its log:\n{log_of(ml, child.name, _LOG_LINES)}"
    return f": step '{failed}' failed"


def _read_outputs(ml: MLClient, job: str) -> tuple[dict[str, Any], dict[str, Any]]:
    read = []
    with tempfile.TemporaryDirectory() as folder:
        for path in (DECISION, REGISTRATION):
            output, _, file = path.partition("/")
            ml.jobs.download(name=job, output_name=output, download_path=folder)
            found = next(Path(folder).rglob(file), None)
            if found is None:
                raise ReleaseError(
                    f"job {job} completed without {path}: the pipeline must have the outputs decision and registration"
                )
            read.append(json.loads(found.read_text("utf-8")))
    return read[0], read[1]


def _commit() -> str:
    """Return the commit of the tree, with `-dirty` where it has changes; `unknown` outside a repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
