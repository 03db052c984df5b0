"""The container registry for training and serving images."""

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerregistry as registries

from infra.components.placement import Placement
from infra.settings.network import NetworkSettings
from infra.settings.services import RegistrySettings, RegistrySku


@dataclass(frozen=True, kw_only=True)
class ContainerRegistryArgs:
    """Inputs of `ContainerRegistry`."""

    placement: Placement
    settings: RegistrySettings
    network: NetworkSettings


class ContainerRegistry(pulumi.ComponentResource):
    """A container registry, whose admin user is off unless the stack turns it on.

    Outputs: `id`, `name`, `login_server` (host name, such as `name.azurecr.io`).
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    login_server: pulumi.Output[str]

    def __init__(self, name: str, args: ContainerRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("azureml-platform:infra:ContainerRegistry", name, None, opts)
        place, network = args.placement, args.network
        premium = args.settings.sku is RegistrySku.PREMIUM
        registry = registries.Registry(
            name,
            registry_name=place.names.container_registry,
            resource_group_name=place.resource_group,
            location=place.location,
            sku=registries.SkuArgs(name=args.settings.sku.value),
            admin_user_enabled=args.settings.admin_user,
            # Only Premium registries have a firewall. The settings are checked for this.
            public_network_access=_public_access(network) if premium else None,
            network_rule_bypass_options=registries.NetworkRuleBypassOptions.AZURE_SERVICES if premium else None,
            network_rule_set=_rules(network) if premium else None,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=place.protect, hooks=place.hooks()),
        )
        self.id = registry.id
        self.name = registry.name
        self.login_server = registry.login_server
        self.register_outputs({"id": self.id, "name": self.name, "login_server": self.login_server})


def _public_access(network: NetworkSettings) -> registries.PublicNetworkAccess:
    access = registries.PublicNetworkAccess
    return access.ENABLED if network.public_access else access.DISABLED


def _rules(network: NetworkSettings) -> registries.NetworkRuleSetArgs:
    return registries.NetworkRuleSetArgs(
        default_action=registries.DefaultAction.DENY if network.restricted else registries.DefaultAction.ALLOW,
        ip_rules=[registries.IPRuleArgs(i_p_address_or_range=ip) for ip in network.allowed_ip_ranges],
    )
