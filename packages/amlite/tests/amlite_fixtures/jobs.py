"""Jobs of a workspace, for tests that submit some."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import CommandComponent

    from amlite.testing import Workspace

Json = dict[str, Any]
ENDED = ("Completed", "Failed", "Canceled")
CLUSTER = "cpu-cluster"
# An environment whose jobs log to MLflow.
CONDA = """
name: tracking
dependencies:
- python=3.11
- pip:
  - mlflow-skinny==2.16.2
  - azureml-mlflow==1.62.0.post6
  - packaging==24.2
  - setuptools<81
"""


def equip(workspace: Workspace, identity: str | None = None) -> Workspace:
    """Give a workspace the cluster and the environment `plain:1`."""
    scale = {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT120S"}
    inner = {"vmSize": "STANDARD_DS2_V2", "scaleSettings": scale}
    body: Json = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": inner}}
    if identity:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    workspace.azure.put(f"{workspace.id}/computes/{CLUSTER}", body)
    conda = "name: plain\ndependencies:\n- python=3.11\n"
    properties = {"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04", "condaFile": conda}
    workspace.azure.put(f"{workspace.id}/environments/plain/versions/1", {"properties": properties})
    return workspace


def submit(client: MLClient, line: str, **options: Any) -> str:
    """Submit a command without code and return the job's name."""
    from azure.ai.ml import command

    job = command(command=line, environment="plain:1", compute=CLUSTER, experiment_name="tests", **options)
    return str(client.jobs.create_or_update(job).name)


def step(folder: Path, name: str, script: str, inputs: Json, outputs: Json, line: str) -> CommandComponent:
    """Return a command component with a script `main.py` of its own."""
    from azure.ai.ml.entities import CommandComponent

    code = folder / name
    code.mkdir()
    (code / "main.py").write_text(script, "utf-8")
    return CommandComponent(
        name=name, version="1", inputs=inputs, outputs=outputs, code=str(code), command=line, environment="plain:1"
    )


def until(client: MLClient, name: str, *states: str) -> Any:
    """Wait until a job is in one of the states (default: has ended) and return it."""
    while (job := client.jobs.get(name)).status not in (states or ENDED):
        assert job.status not in ENDED, history(client, name)
        time.sleep(0.1)
    return job


def history(client: MLClient, name: str) -> Any:
    """Return what run history says about a job."""
    return client.jobs._runs_operations.get_run_details(name)


def children(client: MLClient, name: str) -> dict[str, Any]:
    """Return a pipeline's steps by their names in the pipeline."""
    return {child.display_name: child for child in client.jobs.list(parent_job_name=name)}


def processes(job: str) -> list[psutil.Process]:
    """Return the processes whose environment says that they belong to a job."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AZUREML_RUN_ID") == job and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def table(folder: Path, header: str, rows: list[str]) -> Any:
    """Write a table with its description, and return it as an input."""
    from azure.ai.ml import Input

    folder.mkdir()
    text = "paths:\n- file: ./rows.csv\ntransformations:\n- read_delimited:\n    delimiter: ','\n"
    (folder / "MLTable").write_text(text, "utf-8")
    (folder / "rows.csv").write_text("\n".join([header, *rows, ""]), "utf-8")
    return Input(type="mltable", path=str(folder))
