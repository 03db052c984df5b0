"""The workspace's key vault. Access is controlled by role assignments, not by access policies."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from infra.components.placement import Placement
from infra.settings.network import NetworkSettings
from infra.settings.services import KeyVaultSettings


@dataclass(frozen=True, kw_only=True)
class KeyVaultArgs:
    """Inputs of `KeyVault`. `soft_delete_days` cannot change after the vault is created.

    `create_mode` is `recover` in the run that recovers a soft-deleted vault.
    """

    placement: Placement
    tenant_id: str
    settings: KeyVaultSettings
    soft_delete_days: int
    network: NetworkSettings
    create_mode: pulumi.Output[keyvault.CreateMode | None]


class KeyVault(pulumi.ComponentResource):
    """A key vault with role-based access control and soft delete.

    Outputs: `id`.
    """

    id: pulumi.Output[str]

    def __init__(self, name: str, args: KeyVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:KeyVault", name, None, opts)
        place, network = args.placement, args.network
        vault = keyvault.Vault(
            name,
            vault_name=place.names.key_vault,
            resource_group_name=place.resource_group,
            location=place.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.tenant_id,
                create_mode=args.create_mode,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=args.soft_delete_days,
                # Azure refuses an explicit `false`, so the property is true or absent.
                enable_purge_protection=args.settings.purge_protection or None,
                public_network_access="Enabled" if network.public_access else "Disabled",
                network_acls=keyvault.NetworkRuleSetArgs(
                    default_action=(
                        keyvault.NetworkRuleAction.DENY if network.restricted else keyvault.NetworkRuleAction.ALLOW
                    ),
                    bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES,
                    ip_rules=[keyvault.IPRuleArgs(value=ip) for ip in network.allowed_ip_ranges],
                ),
            ),
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, hooks=place.hooks()),
        )
        self.id = vault.id
        self.register_outputs({"id": self.id})
