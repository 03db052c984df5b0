"""The clients of a deployed workspace and of a registry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from infra.outputs import StackOutputs
from pulumi_azureml.operations.connection import Workspace, connect, credential
from release.errors import ReleaseError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def client(outputs: StackOutputs) -> MLClient:
    """Return the client of the workspace that a stack's outputs name."""
    return connect(Workspace(outputs.subscription_id, outputs.resource_group, outputs.workspace))


def registry_client(name: str) -> MLClient:
    """Return the client of a registry.

    Raises:
        ReleaseError: there is none of that name, or the caller may not see it.
    """
    from azure.ai.ml import MLClient
    from azure.core.exceptions import HttpResponseError

    # Its own line for each poll of a registry would stand between ours; its module sets its own level on import.
    logging.getLogger("azure.ai.ml._utils._endpoint_utils").setLevel(logging.ERROR)
    try:
        return MLClient(credential(), registry_name=name, show_progress=False, enable_telemetry=False)
    except HttpResponseError as error:
        fix = "`az ml registry list` has those that you may use; name one with --registry or azureml-platform:sharing"
        raise ReleaseError(f"cannot open the registry '{name}': {error.message}\n  fix: {fix}") from error
