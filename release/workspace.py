"""The client of a deployed workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.azureml.connection import Workspace, connect
from infra.outputs import StackOutputs

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def client(outputs: StackOutputs) -> MLClient:
    """Return the client of the workspace that a stack's outputs name."""
    return connect(Workspace(outputs.subscription_id, outputs.resource_group, outputs.workspace))
