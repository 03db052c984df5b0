"""Wait for the AutoML job, and print its leaderboard."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from azure.ai.ml import MLClient

from tasks.errors import TaskError
from tasks.leaderboard import best, trials
from tasks.paths import read, write

_ENDED = ("Completed", "Failed", "Canceled")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the mounted input and output."""
    parser.add_argument("--job", type=Path, required=True)
    parser.add_argument("--best", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=15)


def run(client: MLClient, given: argparse.Namespace) -> None:
    """Wait until the job has ended, and write its best trial.

    Raises:
        TaskError: The job did not complete, or has no model.
    """
    name = read(given.job, "name")
    before = ""
    while True:
        job = client.jobs.get(name)
        # An enumeration, or a text if azure-ai-ml does not know the status.
        status = str(getattr(job.status, "value", job.status))
        if status != before:
            print(f"{name}: {status}", flush=True)
            before = status
        if status in _ENDED:
            break
        time.sleep(given.seconds)
    if status != "Completed":
        raise TaskError(f"AutoML job {name} ended with status {status}. Its log has the reason: {job.studio_url}")
    board = trials(client, name)
    for place, trial in enumerate(board, 1):
        print(f"{place:3d}  {trial.score:.4f}  {trial.algorithm}")
    chosen = best(job.tags, board)
    write(given.best, trial=chosen.name, algorithm=chosen.algorithm, score=f"{chosen.score:.6f}", job=name)
