"""The settings of outbound rules: the keys below `azureml-platform:network.outbound`.

Sources: how-to-managed-network (private endpoints, limitations) and private-endpoint-overview (subresources) of
Microsoft's documentation, and its list of service tags.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.group import Group

_HOST = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE)
_TAG = re.compile(r"[A-Z][A-Za-z0-9]+(\.[A-Za-z0-9]+)?")
_PORTS = re.compile(r"\*|\d{1,5}(-\d{1,5})?(, ?\d{1,5}(-\d{1,5})?)*")
_RESOURCE = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/(?P<type>[A-Za-z.]+/[A-Za-z]+)/[^/]+", re.IGNORECASE
)
_STORAGE_HOST = ".core.windows.net"
# The tags that outbound rules accept. Azure adds tags, so others are accepted too unless they look misspelt.
_TAGS = (
    "AppConfiguration", "AppService", "AppServiceManagement", "AzureActiveDirectory", "AzureArcInfrastructure",
    "AzureAttestation", "AzureBackup", "AzureBotService", "AzureCloud", "AzureConnectors",
    "AzureContainerRegistry", "AzureCosmosDB", "AzureDatabricks", "AzureDataLake", "AzureEventGrid",
    "AzureFrontDoor", "AzureIoTHub", "AzureKeyVault", "AzureMachineLearning", "AzureMonitor",
    "AzureOpenDatasets", "AzureResourceManager", "AzureSignalR", "BatchNodeManagement",
    "CognitiveServicesManagement", "DataFactory", "DataFactoryManagement", "EventHub",
    "GuestAndHybridManagement", "Internet", "LogicApps", "MicrosoftContainerRegistry", "PowerBI",
    "PowerQueryOnline", "ServiceBus", "ServiceFabric", "Sql", "SqlManagement", "Storage", "StorageSyncService",
    "VirtualNetwork",
)  # fmt: skip
_ALL_TRAFFIC = "Internet"
_SUBRESOURCES = {
    "Microsoft.ApiManagement/service": ("Gateway",),
    "Microsoft.Cache/redis": ("redisCache",),
    "Microsoft.CognitiveServices/accounts": ("account",),
    "Microsoft.ContainerRegistry/registries": ("registry",),
    "Microsoft.Databricks/workspaces": ("databricks_ui_api", "browser_authentication"),
    "Microsoft.DataFactory/factories": ("dataFactory", "portal"),
    "Microsoft.DBforMariaDB/servers": ("mariadbServer",),
    "Microsoft.DBforMySQL/flexibleServers": ("mysqlServer",),
    "Microsoft.DBforMySQL/servers": ("mysqlServer",),
    "Microsoft.DBforPostgreSQL/flexibleServers": ("postgresqlServer",),
    "Microsoft.DBforPostgreSQL/servers": ("postgresqlServer",),
    "Microsoft.DocumentDB/databaseAccounts": ("Sql", "MongoDB", "Cassandra", "Gremlin", "Table", "Analytical"),
    "Microsoft.EventHub/namespaces": ("namespace",),
    "Microsoft.KeyVault/vaults": ("vault",),
    "Microsoft.MachineLearningServices/registries": ("amlregistry",),
    "Microsoft.MachineLearningServices/workspaces": ("amlworkspace",),
    "Microsoft.Search/searchServices": ("searchService",),
    "Microsoft.Sql/servers": ("sqlServer",),
    "Microsoft.Storage/storageAccounts": (
        *("blob", "file", "queue", "table", "dfs", "web"),
        *("blob_secondary", "file_secondary", "queue_secondary", "table_secondary", "dfs_secondary", "web_secondary"),
    ),
}


def _host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        raise ValueError("must be a host name such as docs.contoso.com or *.contoso.com, without scheme, port or path")
    if value.lower().endswith(_STORAGE_HOST):
        raise ValueError("is a storage account, which a rule for a host cannot reach; use outbound.privateEndpoints")
    return value.lower()


def _service_tag(value: str) -> str:
    base, dot, rest = value.partition(".")
    if value == _ALL_TRAFFIC:
        raise ValueError("is every address; set isolation to AllowInternetOutbound instead")
    if base in _TAGS and _TAG.fullmatch(value):
        return value
    spelt = {tag.lower(): tag for tag in _TAGS}
    near = difflib.get_close_matches(base.lower(), spelt, n=1, cutoff=0.8)
    if near:
        raise ValueError(f"is not a service tag of Azure; did you mean {spelt[near[0]]}{dot}{rest}?")
    if _TAG.fullmatch(value) is None:
        raise ValueError("must be a service tag of Azure such as DataFactory or Sql.WestEurope")
    return value


class FirewallSku(StrEnum):
    """Tiers of Azure Firewall. Basic costs less, and has less throughput."""

    BASIC = "Basic"
    STANDARD = "Standard"


class Protocol(StrEnum):
    """Protocols of a rule for a service tag."""

    TCP = "TCP"
    UDP = "UDP"
    ICMP = "ICMP"
    ANY = "*"


class ServiceTagSettings(Group):
    """A rule for the addresses of an Azure service, which Microsoft maintains as a service tag."""

    tag: Annotated[str, AfterValidator(_service_tag)] = Field(
        description="The service tag, with or without a region.", examples=["DataFactory"]
    )
    protocol: Protocol = Field(default=Protocol.TCP, description="The protocol.")
    ports: str = Field(
        default="443",
        pattern=rf"^({_PORTS.pattern})$",
        description="Ports and ranges of ports, separated by commas, or `*`.",
        examples=["443"],
    )


class PrivateEndpointSettings(Group):
    """A private endpoint from the managed network to an Azure resource."""

    resource_id: str = Field(description="The resource's id.", examples=["/subscriptions/.../storageAccounts/name"])
    subresource: str = Field(description="The part of the resource, such as `blob`.", examples=["blob"])

    @model_validator(mode="after")
    def _supported(self) -> Self:
        found = _RESOURCE.fullmatch(self.resource_id)
        if found is None:
            raise ValueError(
                "resourceId must be the id of an Azure resource: "
                "/subscriptions/<guid>/resourceGroups/<name>/providers/<provider>/<type>/<name>"
            )
        types = {each.lower(): each for each in _SUBRESOURCES}
        kind = types.get(found["type"].lower())
        if kind is None:
            raise ValueError(
                f"resourceId is a {found['type']}, to which managed networks have no private endpoints; supported: "
                f"{', '.join(_SUBRESOURCES)}"
            )
        if self.subresource not in _SUBRESOURCES[kind]:
            known = ", ".join(f"`{each}`" for each in _SUBRESOURCES[kind])
            raise ValueError(f"subresource of a {kind} must be one of {known}")
        return self


class OutboundSettings(Group):
    """Destinations outside the managed network, besides those that Azure and the platform add.

    The platform adds what its own storage account, key vault and registry need.
    """

    hosts: list[Annotated[str, AfterValidator(_host)]] = Field(
        default_factory=list,
        description="Host names, reached on ports 80 and 443. Azure deploys an Azure Firewall for them, which costs "
        "money by the hour. Only with isolation AllowOnlyApprovedOutbound.",
        examples=["*.contoso.com"],
    )
    service_tags: list[ServiceTagSettings] = Field(
        default_factory=list,
        description="Azure services, by their service tags. Only with isolation AllowOnlyApprovedOutbound.",
    )
    private_endpoints: list[PrivateEndpointSettings] = Field(
        default_factory=list,
        description="Azure resources that are reached by a private endpoint. Give the workspace's identity the role "
        "Azure AI Enterprise Network Connection Approver on each.",
    )

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for key, given in self._given():
            twice = [each for each, count in Counter(given).items() if count > 1]
            if twice:
                raise ValueError(f"{key} has {', '.join(twice)} twice")
        return self

    def _given(self) -> Iterator[tuple[str, list[str]]]:
        yield "hosts", self.hosts
        yield "service_tags", [f"{each.tag} {each.protocol.value}" for each in self.service_tags]
        yield (
            "private_endpoints",
            [f"{each.resource_id.lower()} {each.subresource}" for each in self.private_endpoints],
        )
