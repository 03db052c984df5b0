"""Submit the AutoML job of the image's configuration file."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from azure.ai.ml import MLClient, load_job
from azure.core.exceptions import ResourceNotFoundError

from tasks.paths import in_image, read, write


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the mounted input and output."""
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--job", type=Path, required=True)


def run(client: MLClient, given: argparse.Namespace) -> None:
    """Submit the job on the registered table.

    A low-priority node can be taken away, and the task then starts again. The job's name depends on the pipeline run,
    so the second attempt finds the job of the first.
    """
    table = {"type": "mltable", "path": read(given.dataset, "reference")}
    job = load_job(in_image("configs/automl-job.yml"), params_override=[{"training_data": table}])
    job.name = f"{os.environ['AZUREML_ROOT_RUN_ID']}-automl"
    try:
        client.jobs.get(job.name)
        print(f"AutoML job {job.name} was submitted by an earlier attempt")
    except ResourceNotFoundError:
        client.jobs.create_or_update(job)
        print(f"AutoML job {job.name} is submitted")
    write(given.job, name=job.name)
