"""The managed virtual network of a workspace."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi import dynamic

from pulumi_azureml.provider import AzureMLProvider
from pulumi_azureml.resources.places import WorkspaceArgs
from pulumi_azureml.resources.resource import REPLACEMENT, without_side_effects


@dataclass(frozen=True, kw_only=True)
class ManagedNetworkArgs:
    """Arguments of `ManagedNetwork`.

    Attributes:
        workspace: the workspace, whose `managedNetwork` has an isolation mode.
        isolation: that isolation mode. A change provisions the network again.
    """

    workspace: WorkspaceArgs
    isolation: pulumi.Input[str]


class ManagedNetwork(dynamic.Resource, module="azureml", name="ManagedNetwork"):
    """The managed network of a workspace, provisioned. Output: `status`, which is `Active`.

    Azure takes about 30 minutes, and refuses online deployments until then. A network that is provisioned already is
    left as it is. Deleting the resource does nothing: the network goes with its workspace. Let endpoints, compute
    clusters and what else needs the network depend on this resource, and this resource on the outbound rules.
    """

    status: pulumi.Output[str]

    def __init__(
        self, resource_name: str, args: ManagedNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Take the workspace."""
        props = {**args.workspace.place(), "name": args.workspace.name, "isolation": args.isolation, "status": None}
        with without_side_effects():
            provider = AzureMLProvider("managed_network", args.workspace.config_keys)
            super().__init__(provider, resource_name, props, pulumi.ResourceOptions.merge(REPLACEMENT, opts))
