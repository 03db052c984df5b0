"""Running pipeline jobs: progress by step, reasons for failure, and outputs."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_azureml.operations.retry import persistently
from pulumi_azureml.operations.runs import Runs

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

ENDED = frozenset({"Completed", "Failed", "Canceled", "NotResponding"})
# The output in which a training pipeline reports the registered model: {registered, name, version, reason}.
REGISTRATION = "registration/registration.json"
_POLL_SECONDS = (0.5, 2.0)  # first and longest wait between two polls of the job
_LOG_LINES = 40
_DUBIOUS = "dubious ownership"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobStep:
    """A step of a pipeline job: its name in the pipeline, the name of its job, its status, its seconds."""

    name: str
    job: str
    status: str
    seconds: float


@dataclass(frozen=True)
class EndedJob:
    """A job that has ended: its status, its steps in the order in which they started, and its name.

    Only a pipeline has steps.
    """

    status: str
    steps: tuple[JobStep, ...]
    job: str = ""

    @property
    def cause(self) -> JobStep | None:
        """The step that ended the job: the first one that failed, or if none did, the first one that was canceled.

        Azure ML cancels a job that exceeds its time limit.
        """
        wanted = ("Failed", "Canceled") if self.status == "Failed" else ("Failed",)
        return next((step for status in wanted for step in self.steps if step.status == status), None)


class StillRunningError(Exception):
    """A job exceeds the time to wait. It continues."""


@dataclass
class _Watch:
    """The times at which each step was first observed to have started and to have ended."""

    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    job: dict[str, str] = field(default_factory=dict)


def follow_job(
    ml: MLClient,
    job: str,
    say: Callable[[str], None],
    seconds: float | None = None,
    reconnect: Callable[[], MLClient] | None = None,
) -> EndedJob:
    """Wait until a pipeline job ends, and report when steps start and end.

    Args:
        ml: the workspace's client.
        job: the name of the job.
        say: receives one line, without a newline.
        seconds: the maximum time to wait. None waits indefinitely.
        reconnect: returns a client that signs in again, for jobs that run longer than a sign-in lasts.

    Raises:
        StillRunningError: the job has not ended after `seconds`. It continues.
    """
    seen = _Watch()
    wait = _POLL_SECONDS[0]
    last = time.monotonic() + seconds if seconds is not None else None

    def look() -> str:
        client = reconnect() if reconnect is not None else ml
        found = status_of(client.jobs.get(job))
        _look_at_steps(client, job, seen, say)
        return found

    while True:
        status = persistently(look, f"job {job}")
        if status in ENDED:
            break
        if last is not None and time.monotonic() >= last:
            raise StillRunningError(status)
        time.sleep(wait)
        wait = min(wait * 1.2, _POLL_SECONDS[1])
    steps = (
        JobStep(name, seen.job[name], seen.status[name], seen.ended.get(name, time.monotonic()) - began)
        for name, began in seen.began.items()
    )
    return EndedJob(status, tuple(steps), job)


def failure_text(ml: MLClient, ended: EndedJob) -> str:
    """Return the step that ended a job, Azure's reason and the end of its log, as the rest of `job … ended as …`.

    If the step is a pipeline itself, this is about the step in it that ended it. A job without steps has a reason and a
    log of its own. Empty if no step ended the job.
    """
    step = ended.cause
    if step is None and (ended.steps or not ended.job):
        return ""
    if step is None:
        reason, log = _reason(ml, ended.job), job_log(ml, ended.job, _LOG_LINES)
        told = f": {reason.rstrip('.')}" if reason else ""
        return f"{told}. Last lines of its log:\n{log}" if log else told
    name, job, status = step.name, step.job, step.status
    while (inner := _ending_child(ml, job)) is not None:
        name, job, status = f"{name}/{inner.display_name or inner.name}", inner.name, status_of(inner)
    reason, log = _reason(ml, job), job_log(ml, job, _LOG_LINES)
    what = "failed" if status == "Failed" else "was canceled"
    told = f": step '{name}' {what}{f' ({reason})' if reason else ''}"
    return f"{told}. Last lines of its log:\n{log}" if log else told


def job_log(ml: MLClient, job: str, lines: int | None = None) -> str:
    """Return the last lines (or all lines) of a job's own log from the workspace."""
    with tempfile.TemporaryDirectory() as folder:
        ml.jobs.download(name=job, download_path=folder)
        logs = sorted(Path(folder).rglob("user_logs/*.txt"))
        text = "\n".join(path.read_text("utf-8", "replace") for path in logs)
    return "\n".join(text.splitlines()[-lines:]) if lines else text


def status_of(job: Any) -> str:
    """Return a job's status as Azure writes it. The client returns either text or its own enumeration."""
    return str(getattr(job.status, "value", job.status))


def job_output(ml: MLClient, job: str, path: str) -> dict[str, Any] | None:
    """Return a JSON file of a job's output, `<output>/<file>`, or None if the output has no such file."""
    output, _, file = path.partition("/")
    with tempfile.TemporaryDirectory() as folder:
        ml.jobs.download(name=job, output_name=output, download_path=folder)
        found = next(Path(folder).rglob(file), None)
        return dict(json.loads(found.read_text("utf-8"))) if found is not None else None


def metrics(tracking_uri: str, runs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Return the last value of each metric that MLflow has for some runs. Values that are not numbers are omitted.

    Args:
        tracking_uri: the workspace's tracking URI, `azureml://<region>…`, from a job's `services`.
        runs: pairs of a prefix for the metrics' names and a run's id, which is the name of its job.
    """
    from pulumi_azureml.operations.sdk import ResourceNotFoundError

    found: dict[str, float] = {}
    for prefix, run in runs:
        try:
            logged = Runs(tracking_uri).logged(run).metrics
        except ResourceNotFoundError:
            continue
        found |= {f"{prefix}{name}": value for name, value in logged.items() if math.isfinite(value)}
    return found


class GitError(Exception):
    """git cannot name the commit. `fix` says what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def with_commit(definition: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return a pipeline's definition with the tree's commit as its input `git_sha`, if it has that input."""
    inputs = definition.get("inputs") or {}
    if "git_sha" not in inputs:
        return dict(definition)
    try:
        commit = git_commit(root)
    except GitError as error:
        _log.warning("the input git_sha is 'unknown': %s. %s", error, error.fix)
        commit = "unknown"
    return {**definition, "inputs": {**inputs, "git_sha": commit}}


def git_commit(root: Path) -> str:
    """Return the commit of the tree, with `-dirty` if it has changes, or `unknown` outside a repository.

    Raises:
        GitError: git is not installed, or does not read the repository.
    """
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise GitError("git is not on PATH, so the commit is unknown", "install git") from error
    if _DUBIOUS in done.stderr:
        raise GitError(
            f"git does not read {root}, because the folder belongs to another user (dubious ownership)",
            f"git config --global --add safe.directory {root}",
        )
    return done.stdout.strip() or "unknown"


def _ending_child(ml: MLClient, job: str) -> Any:
    """Return the first step that failed in a job that did not complete, or else the first that was canceled, or None.

    Only a pipeline has steps.
    """
    steps = [(status_of(child), child) for child in ml.jobs.list(parent_job_name=job)]
    return next((child for wanted in ("Failed", "Canceled") for status, child in steps if status == wanted), None)


def _reason(ml: MLClient, job: str) -> str:
    """Return why a job failed or was canceled. No job log shows the failure of a node or an environment."""
    services = getattr(ml.jobs.get(job), "services", None) or {}
    if "Tracking" not in services:
        return ""
    found = Runs(services["Tracking"].endpoint).get(job)
    return found.error or found.canceled


def _look_at_steps(ml: MLClient, job: str, seen: _Watch, say: Callable[[str], None]) -> None:
    for child in ml.jobs.list(parent_job_name=job):
        name, status = child.display_name or child.name, status_of(child)
        if status == seen.status.get(name):
            continue
        now = time.monotonic()
        seen.job[name] = child.name
        if status not in ("NotStarted", "Queued"):
            seen.began.setdefault(name, now)
        if status in ENDED:
            seen.began.setdefault(name, now)
            seen.ended[name] = now
            say(f"{name}: {status} after {now - seen.began[name]:.1f} s")
        elif status == "Running":
            say(f"{name}: running")
        seen.status[name] = status
