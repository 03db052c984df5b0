"""The managed virtual network of a workspace: provisioned once, and gone with its workspace."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

from pulumi_azureml.operations.kind import Operations, Props, found
from pulumi_azureml.operations.retry import finished

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_log = logging.getLogger(__name__)
_ACTIVE = "Active"
# Azure needs about half an hour, and ten minutes more for the first rule for a host.
_MINUTES = 120


class ManagedNetworkOperations(Operations):
    """A workspace's network. Its `name` is the workspace's; `isolation` is its isolation mode."""

    outputs: ClassVar[tuple[str, ...]] = ("status",)
    options: ClassVar[tuple[str, ...]] = ("operation_minutes",)
    significant: ClassVar[tuple[str, ...]] = ("isolation",)
    name = "managed_network"
    title = "the managed network of workspace"

    def upsert(self, ml: MLClient, props: Props) -> Props:
        """Provision the network unless that has been done. Azure refuses online deployments until then."""
        if _status(ml, props) != _ACTIVE:
            _log.info("%s '%s': provisioning takes about 30 minutes", self.title, props["name"])
            poller = ml.workspaces.begin_provision_network(workspace_name=props["name"], include_spark=False)
            finished(poller, f"{self.title} '{props['name']}'", at_least=60 * _MINUTES)
        return {"status": _ACTIVE}

    def observe(self, ml: MLClient, props: Props) -> Props | None:
        """Return None if the network is not provisioned, so that the next update does it."""
        return {**props, "status": _ACTIVE} if _status(ml, props) == _ACTIVE else None

    def remove(self, ml: MLClient, props: Props) -> None:
        """Do nothing: Azure deletes the network with its workspace."""


def _status(ml: MLClient, props: Props) -> str | None:
    workspace = found(lambda: ml.workspaces.get(props["name"]))
    network = workspace.managed_network if workspace is not None else None
    return network.status.status if network is not None and network.status is not None else None
