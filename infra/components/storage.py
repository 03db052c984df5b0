"""The workspace's storage account, with identity-based access. See docs/adr/0023."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

from infra.components.placement import Placement
from infra.naming import COLLECTED_DATA
from infra.settings.network import NetworkSettings
from infra.settings.services import StorageSettings


@dataclass(frozen=True, kw_only=True)
class StorageAccountArgs:
    """Inputs of `StorageAccount`."""

    placement: Placement
    settings: StorageSettings
    network: NetworkSettings


class StorageAccount(pulumi.ComponentResource):
    """A general-purpose v2 account without public blobs, with TLS 1.2 as the minimum.

    Azure Machine Learning creates the containers of its default datastores. The collected data has a container of its
    own, because endpoints may write there only.
    Outputs: `id`, `name`, `collected_data_id` (the container's id).
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    collected_data_id: pulumi.Output[str]

    def __init__(self, name: str, args: StorageAccountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:StorageAccount", name, None, opts)
        place, network = args.placement, args.network
        account = storage.StorageAccount(
            name,
            account_name=place.names.storage_account,
            resource_group_name=place.resource_group,
            location=place.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=args.settings.sku.value),
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            enable_https_traffic_only=True,
            allow_blob_public_access=False,
            allow_cross_tenant_replication=False,
            allow_shared_key_access=args.settings.shared_key_access,
            # Default datastores do not support a hierarchical namespace.
            is_hns_enabled=False,
            public_network_access=(
                storage.PublicNetworkAccess.ENABLED if network.public_access else storage.PublicNetworkAccess.DISABLED
            ),
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.DENY if network.restricted else storage.DefaultAction.ALLOW,
                bypass=storage.Bypass.AZURE_SERVICES,
                ip_rules=[storage.IPRuleArgs(i_p_address_or_range=ip) for ip in network.allowed_ip_ranges],
            ),
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, hooks=place.hooks()),
        )
        container = storage.BlobContainer(
            f"{name}-collected-data",
            account_name=account.name,
            resource_group_name=place.resource_group,
            container_name=COLLECTED_DATA,
            public_access=storage.PublicAccess.NONE,
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect),
        )
        self.id = account.id
        self.name = account.name
        self.collected_data_id = container.id
        self.register_outputs({"id": self.id, "name": self.name, "collected_data_id": self.collected_data_id})
