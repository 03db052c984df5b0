"""Clients of a deployed workspace and of a registry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from infra.outputs import StackOutputs
from pulumi_azureml.operations import Workspace, connect, credential
from release.errors import ReleaseError, first_line

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


def client(outputs: StackOutputs) -> MLClient:
    """Return a client of the stack's workspace."""
    return connect(Workspace(outputs.subscription_id, outputs.resource_group, outputs.workspace))


def registry_client(
    name: str, fix: str = "use --registry with one of the registries that `az ml registry list` prints"
) -> MLClient:
    """Return a client of a registry.

    Args:
        name: Name of the registry.
        fix: What to do if it cannot be opened.

    Raises:
        ReleaseError: The registry does not exist, or the caller may not read it.
    """
    from azure.ai.ml import MLClient
    from azure.core.exceptions import HttpResponseError

    # azure-ai-ml logs each poll of a registry between our lines. Its module resets the level on import.
    logging.getLogger("azure.ai.ml._utils._endpoint_utils").setLevel(logging.ERROR)
    try:
        return MLClient(credential(), registry_name=name, show_progress=False, enable_telemetry=False)
    except HttpResponseError as error:
        raise ReleaseError(f"cannot open registry '{name}': {first_line(error)}", fix=fix) from error
