"""The addresses of Azure Machine Learning: below a workspace or location in ARM, and in a region's data plane."""

from __future__ import annotations

from dataclasses import replace

from amlite.core.routing import ARM_AUDIENCES, Call, Routes
from amlite.core.store import Document
from amlite.services.arm.resources import resource_of
from amlite.services.machinelearning.references import PROVIDER, WORKSPACE_TYPE

WORKSPACE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/workspaces/{{workspace}}"
LOCATION = f"/subscriptions/{{subscription}}/providers/{PROVIDER}/locations/{{location}}"
REGION_HOST = "*.api.azureml.ms"
SCORING_HOST = "*.inference.ml.azure.com"
AUDIENCE = "https://ml.azure.com"
"""The audience of tokens for the data plane and the endpoints."""
RUN_AUDIENCE = "https://ml.azure.com/runs"
"""The audience of a job's own token, which is valid for run history, artifacts and MLflow, and for nothing else."""
READ_RUNS = f"{WORKSPACE_TYPE}/experiments/runs/read"
WRITE_RUNS = f"{WORKSPACE_TYPE}/experiments/runs/write"


def data_routes() -> Routes:
    """Return an empty route table for the data plane of every region."""
    return Routes(REGION_HOST, audiences=ARM_AUDIENCES | {AUDIENCE, RUN_AUDIENCE})


def workspace_of(call: Call) -> Document:
    """Return the workspace in a call's path. Raises AzureError 404 if it or its group does not exist."""
    id = call.resource_id
    return resource_of(call.platform, replace(id, segments=id.segments[:2]))


def kind_of(call: Call) -> str:
    """Return the kind of asset in a call's path below a workspace or registry, such as `models`."""
    return call.resource_id.segments[2].lower()
