"""Clients of a deployed workspace and of a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.outputs import StackOutputs
from pulumi_azureml.operations import Registry, Workspace, connect
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
    from azure.core.exceptions import HttpResponseError

    try:
        return connect(Registry(name))
    except HttpResponseError as error:
        raise ReleaseError(f"cannot open registry '{name}': {first_line(error)}", fix=fix) from error
