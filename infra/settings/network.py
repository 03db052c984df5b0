"""The settings of network exposure: the keys below `azureml-platform:network`."""

import ipaddress
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from infra.settings.group import Group

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
        description="Isolation mode of the workspace's managed virtual network, for nodes and deployments.",
    )

    @property
    def restricted(self) -> bool:
        """Whether storage, key vault and registry refuse requests from addresses that are not allowed."""
        return not self.public_access or bool(self.allowed_ip_ranges)
