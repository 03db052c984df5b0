"""The machine learning workspace, with a user-assigned identity."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from infra import isolation
from infra.components.placement import Placement
from infra.roles.propagation import waits_for_roles
from infra.settings.network import Isolation, NetworkSettings
from infra.settings.services import WorkspaceSettings


@dataclass(frozen=True, kw_only=True)
class AzureMLWorkspaceArgs:
    """Inputs of `AzureMLWorkspace`: the ids of the resources that it uses.

    `image_build_compute` is the cluster that builds images if the registry is not open to Azure's own builders.
    `requires` has the role assignments that the workspace's identity needs to create and delete the workspace.
    """

    placement: Placement
    identity_id: pulumi.Output[str]
    storage_account_id: pulumi.Output[str]
    key_vault_id: pulumi.Output[str]
    container_registry_id: pulumi.Output[str]
    application_insights_id: pulumi.Output[str]
    image_build_compute: str
    settings: WorkspaceSettings
    network: NetworkSettings
    requires: Sequence[pulumi.Resource]


class AzureMLWorkspace(pulumi.ComponentResource):
    """A workspace whose system datastores use identity-based access. It does not store or need an account key.

    Outputs: `id`, `name`. The attribute `resource` is the workspace itself.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    resource: ml.Workspace

    def __init__(self, name: str, args: AzureMLWorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:Workspace", name, None, opts)
        place, network = args.placement, args.network
        workspace = ml.Workspace(
            name,
            workspace_name=place.names.workspace,
            resource_group_name=place.resource_group,
            location=place.location,
            kind="Default",
            sku=ml.SkuArgs(name="Basic", tier=ml.SkuTier.BASIC),
            friendly_name=args.settings.friendly_name or place.names.workspace,
            description=args.settings.description,
            identity=ml.ManagedServiceIdentityArgs(
                type=ml.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[args.identity_id]
            ),
            primary_user_assigned_identity=args.identity_id,
            storage_account=args.storage_account_id,
            key_vault=args.key_vault_id,
            container_registry=args.container_registry_id,
            application_insights=args.application_insights_id,
            system_datastores_auth_mode=ml.SystemDatastoresAuthMode.IDENTITY,
            public_network_access=(
                ml.PublicNetworkAccessType.ENABLED if network.public_access else ml.PublicNetworkAccessType.DISABLED
            ),
            managed_network=(
                ml.ManagedNetworkSettingsArgs(
                    isolation_mode=network.isolation.value,
                    firewall_sku=(
                        network.firewall_sku.value if network.isolation is Isolation.APPROVED_OUTBOUND else None
                    ),
                )
                if network.isolated
                else None
            ),
            image_build_compute=args.image_build_compute if network.restricted else None,
            tags=place.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=place.protect,
                depends_on=args.requires,
                hooks=place.hooks(waits_for_roles(name), before_update=isolation.hook(name)),
                # Here Azure shows the network's state and all outbound rules: its own, and those of `WorkspaceNetwork`.
                ignore_changes=["managedNetwork.outboundRules", "managedNetwork.status"] if network.isolated else None,
            ),
        )
        self.resource = workspace
        self.id = workspace.id
        self.name = workspace.name
        self.register_outputs({"id": self.id, "name": self.name})
