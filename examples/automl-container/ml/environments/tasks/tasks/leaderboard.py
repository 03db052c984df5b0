"""The trials of an AutoML job, the best one first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from azure.ai.ml import MLClient

from tasks.errors import TaskError

# The tag of an AutoML job that names its best trial.
BEST = "automl_best_child_run_id"


@dataclass(frozen=True)
class Trial:
    """A child job: its name, the algorithm that it tried, and its primary metric."""

    name: str
    algorithm: str
    score: float


def trials(client: MLClient, job: str) -> list[Trial]:
    """Return the trials that have a score."""
    children = client.jobs.list(parent_job_name=job)
    scored = [
        Trial(child.name, properties.get("run_algorithm", "unknown"), float(properties["score"]))
        for child in children
        if "score" in (properties := child.properties or {})
    ]
    return sorted(scored, key=lambda trial: trial.score, reverse=True)


def best(tags: Mapping[str, str], board: Sequence[Trial]) -> Trial:
    """Return the trial that AutoML chose.

    Raises:
        TaskError: It chose none.
    """
    for trial in board:
        if trial.name == tags.get(BEST):
            return trial
    raise TaskError(f"the AutoML job has no best trial among {len(board)}. Fix: raise `limits` in automl-job.yml")
