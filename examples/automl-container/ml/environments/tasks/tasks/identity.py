"""The managed identity of the compute, and the workspace that the job runs in."""

from __future__ import annotations

import os

from azure.ai.ml import MLClient
from azure.identity import ManagedIdentityCredential

from tasks.errors import TaskError

# The value of `--client-id` for the identity of the cluster.
COMPUTE = "compute"


def client_id(given: str) -> str:
    """Return the client id of the identity to sign in as.

    Raises:
        TaskError: It is the cluster's, and the cluster has none.
    """
    if given != COMPUTE:
        return given
    # Azure ML sets it in each job of a cluster with a user-assigned identity.
    found = os.environ.get("DEFAULT_IDENTITY_CLIENT_ID")
    if not found:
        raise TaskError("the cluster has no managed identity. Fix: assign a user-assigned identity to the cluster")
    return found


def workspace(client_id: str) -> MLClient:
    """Return a client of the job's workspace that signs in as a managed identity."""
    return MLClient(
        ManagedIdentityCredential(client_id=client_id),
        os.environ["AZUREML_ARM_SUBSCRIPTION"],
        os.environ["AZUREML_ARM_RESOURCEGROUP"],
        os.environ["AZUREML_ARM_WORKSPACE_NAME"],
        show_progress=False,
        enable_telemetry=False,
    )
