"""The settings of network exposure: the keys below `azureml-platform:network`."""

import ipaddress
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from infra.settings.group import Group
from infra.settings.outbound import FirewallSku, OutboundSettings

_PRIVATE = tuple(ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def _ip_range(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("must be a public IPv4 address or CIDR range such as 203.0.113.0/24") from None
    # Storage accounts refuse /31 and /32. A single address has no prefix.
    tiny = "/" in value and network.prefixlen > 30
    if network.version != 4 or tiny or any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError("must be a public IPv4 address or CIDR range such as 203.0.113.0/24")
    return value


class Isolation(StrEnum):
    """Outbound access of nodes and deployments in the workspace's managed virtual network."""

    DISABLED = "Disabled"
    INTERNET_OUTBOUND = "AllowInternetOutbound"
    APPROVED_OUTBOUND = "AllowOnlyApprovedOutbound"


class NetworkSettings(Group):
    """Network access to the platform, and from its nodes."""

    public_access: bool = Field(
        default=True,
        description="Accept requests from the public internet to workspace, storage, key vault and registry. Callers "
        "need a token in any case. If false, `pulumi up` must run inside the private network.",
    )
    allowed_ip_ranges: list[Annotated[str, AfterValidator(_ip_range)]] = Field(
        default_factory=list,
        max_length=100,
        description="Public IPv4 addresses or CIDR ranges that may reach storage, key vault and registry. If empty, "
        "all may.",
    )
    isolation: Isolation = Field(
        default=Isolation.DISABLED,
        description="Isolation mode of the workspace's managed virtual network, for nodes and deployments. Choose it "
        "before the first `pulumi up`: Azure makes it stricter, but not less strict.",
    )
    outbound: OutboundSettings = Field(
        default_factory=OutboundSettings, description="Further destinations that nodes and deployments reach."
    )
    firewall_sku: FirewallSku = Field(
        default=FirewallSku.STANDARD,
        description="Tier of the Azure Firewall that Azure deploys for `outbound.hosts`.",
    )
    public_endpoints: bool | None = Field(
        default=None,
        description="Accept scoring requests from the public internet at online endpoints whose YAML does not set "
        "`public_network_access`. If absent, the value of `publicAccess`.",
    )

    @property
    def isolated(self) -> bool:
        """Whether nodes and deployments are in a managed virtual network."""
        return self.isolation is not Isolation.DISABLED

    @property
    def endpoints_are_public(self) -> bool:
        """Whether online endpoints accept requests from the public internet, unless their YAML says otherwise."""
        return self.public_access if self.public_endpoints is None else self.public_endpoints

    @property
    def restricted(self) -> bool:
        """Whether storage, key vault and registry refuse requests from addresses that are not allowed."""
        return not self.public_access or bool(self.allowed_ip_ranges)

    def problems(self, *, premium_registry: bool) -> Iterator[str]:
        """Yield a message for each conflict. It begins with a key below `network` or with the key of another group."""
        approved = self.isolation is Isolation.APPROVED_OUTBOUND
        if (self.restricted or approved) and not premium_registry:
            yield (
                "registry.sku must be Premium if network.publicAccess is false, network.allowedIpRanges is set or "
                "network.isolation is AllowOnlyApprovedOutbound, because only Premium registries have firewalls and "
                "private endpoints"
            )
        if not self.public_access and not self.isolated:
            yield (
                "network.isolation must not be Disabled if network.publicAccess is false, because nodes could not "
                "reach the workspace's storage"
            )
        elif self.allowed_ip_ranges and not self.isolated:
            yield (
                "network.isolation must not be Disabled if network.allowedIpRanges is set, because nodes have changing "
                "public addresses that storage and registry would refuse; set it to AllowInternetOutbound"
            )
        if self.outbound.private_endpoints and not self.isolated:
            yield "network.outbound.privateEndpoints needs a managed network; set network.isolation"
        for key, given in (("hosts", self.outbound.hosts), ("serviceTags", self.outbound.service_tags)):
            if given and not approved:
                yield f"network.outbound.{key} is only valid if network.isolation is AllowOnlyApprovedOutbound"
