"""Outbound rules of managed networks: the users' rules, and those that Azure adds to each network.

Sources: "Workspace managed virtual network isolation" (how-to-managed-network: required rules, private endpoints,
limitations), and the rules of a workspace as the module azure_rm_ml_workspace_info of azure.azcollection shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from amlite.core import wire
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.resource_types import ResourceType
from amlite.core.wire import Json
from amlite.services.machinelearning import identity_roles, networks, references
from amlite.services.machinelearning.networks import APPROVED
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import RULE_TYPE

_SYSTEM = "__SYS_"
# Service tag, protocol, ports.
_SERVICE_TAGS = (
    ("AzureMachineLearning", "TCP", "443"),
    ("AzureMachineLearning", "UDP", "5831"),
    ("AzureActiveDirectory", "TCP", "80, 443"),
    ("BatchNodeManagement", "TCP", "443"),
    ("AzureResourceManager", "TCP", "443"),
    ("AzureFrontDoor.FirstParty", "*", "*"),
    ("MicrosoftContainerRegistry.{region}", "TCP", "443"),
    ("AzureMonitor", "TCP", "443"),
    ("VirtualNetwork", "*", "*"),
)
# Property of the workspace -> the subresources for which nodes need a private endpoint.
_PARTS = {"storageAccount": ("blob", "file"), "keyVault": ("vault",), "containerRegistry": ("registry",)}
# The resource types that support private endpoints, and their subresources. None means any subresource.
_TARGETS: dict[str, tuple[str, ...] | None] = {
    "microsoft.apimanagement/service": ("Gateway",),
    "microsoft.cache/redis": ("redisCache",),
    "microsoft.cognitiveservices/accounts": ("account",),
    "microsoft.containerregistry/registries": ("registry",),
    "microsoft.databricks/workspaces": ("databricks_ui_api", "browser_authentication"),
    "microsoft.datafactory/factories": ("dataFactory", "portal"),
    "microsoft.dbformariadb/servers": ("mariadbServer",),
    "microsoft.dbformysql/servers": ("mysqlServer",),
    "microsoft.dbformysql/flexibleservers": ("mysqlServer",),
    "microsoft.dbforpostgresql/servers": ("postgresqlServer",),
    "microsoft.dbforpostgresql/flexibleservers": ("postgresqlServer",),
    "microsoft.documentdb/databaseaccounts": None,
    "microsoft.eventhub/namespaces": ("namespace",),
    "microsoft.keyvault/vaults": ("vault",),
    "microsoft.machinelearningservices/registries": ("amlregistry",),
    "microsoft.machinelearningservices/workspaces": ("amlworkspace",),
    "microsoft.search/searchservices": ("searchService",),
    "microsoft.sql/servers": ("sqlServer",),
    "microsoft.storage/storageaccounts": None,
}
_STORAGE_HOST = ".core.windows.net"


@dataclass
class _Begun:
    """The user's rules that existed when the creation of a rule started, by the id of the new rule."""

    rules: dict[str, frozenset[str]] = field(default_factory=dict)


def require(platform: Platform, workspace_id: str) -> None:
    """Add the workspace's rules and Azure's rules to a network, and remove Azure's outdated rules.

    The users' rules stay. Only a DELETE of a user's rule removes it.
    """
    workspace = references.workspace(platform, workspace_id)
    wanted, ready = dict(_required(platform, workspace.body)), networks.is_ready(workspace.body)
    for rule in networks.rules_of(platform, workspace.id):
        if rule.body["name"] not in wanted and rule.body["properties"]["category"] == "Required":
            platform.store.delete(rule.id)
    for name, properties in wanted.items():
        id = f"{workspace.id}/outboundRules/{name}"
        if platform.store.get(id) is None:
            status = networks.ACTIVE if ready else networks.INACTIVE
            _keep(platform, id, {**properties, "category": "Required", "status": status})
    _adopt(platform, workspace.id, networks.of(workspace.body)["outboundRules"])
    networks.show(platform, workspace.id)


def _adopt(platform: Platform, workspace_id: str, given: Json) -> None:
    for name, rule in given.items():
        id = ResourceId.of(f"{workspace_id}/outboundRules/{name}")
        stored = platform.store.get(str(id))
        if stored is None or any(stored.body["properties"].get(key) != value for key, value in rule.items()):
            body = _prepare(platform, id, {"properties": rule}, stored.body if stored else None)
            networks.check(platform, {"name": name, **body})
            platform.part(_Begun).rules.pop(str(id).lower(), None)
            _keep(platform, str(id), body["properties"])


def _keep(platform: Platform, id: str, properties: Json) -> None:
    properties = {**properties, "provisioningState": "Succeeded"}
    body = {"id": id, "name": id.rpartition("/")[2], "type": RULE_TYPE, "properties": properties}
    old = platform.store.get(id)
    system = wire.modified("", platform.clock.stamp(), old.body if old else None)
    platform.store.put(id, RULE_TYPE, {**body, "systemData": system})


def _required(platform: Platform, workspace: Json) -> Iterator[tuple[str, Json]]:
    """Yield the names and properties of the rules that Azure adds to a network."""
    properties, mark = workspace["properties"], workspace["properties"]["workspaceId"][:8]
    closed = networks.of(workspace)["isolationMode"] == APPROVED
    targets = [(properties.get(part), each) for part, subresources in _PARTS.items() for each in subresources]
    for target, subresource in [*targets, (workspace["id"], "amlworkspace")]:
        document = platform.store.get(target or "")
        if document is None:
            continue
        if closed or document.body["properties"].get("publicNetworkAccess") == "Disabled":
            name = f"{_SYSTEM}PE_{document.body['name']}_{subresource}_{mark}"
            yield name, _private_endpoint(document.id, subresource, spark=True)
    if closed:
        for tag, protocol, ports in _SERVICE_TAGS:
            suffix = "" if protocol == "*" else f"_{protocol}"
            whole = tag.format(region=workspace["location"])
            destination = {"serviceTag": whole, "protocol": protocol, "portRanges": ports}
            yield (
                f"{_SYSTEM}ST_{whole}{suffix}",
                {"type": "ServiceTag", "destination": {"action": "Allow", "addressPrefixes": [], **destination}},
            )


def _private_endpoint(target: str, subresource: str, *, spark: bool) -> Json:
    destination = {"serviceResourceId": target, "subresourceTarget": subresource, "sparkEnabled": spark}
    return {"type": "PrivateEndpoint", "destination": {**destination, "sparkStatus": "Inactive"}}


def _prepare(platform: Platform, id: ResourceId, body: Json, old: Json | None) -> Json:
    workspace = references.workspace(platform, str(id.parent))
    mode = networks.of(workspace.body).get("isolationMode")
    if not networks.is_isolated(workspace.body):
        raise _refusal(f"Workspace '{workspace.body['name']}' has no managed network, so it takes no outbound rules.")
    if id.name.startswith(_SYSTEM) or (old or {}).get("properties", {}).get("category") == "Required":
        raise _refusal(f"Outbound rule '{id.name}' is required by the managed network and cannot be written.")
    rule: Json = writable("OutboundRuleBasicResource", body)["properties"]
    if rule["type"] != "PrivateEndpoint" and mode != APPROVED:
        raise _refusal(
            f"Outbound rule '{id.name}' of type {rule['type']} is only valid if the isolation mode is {APPROVED}; it "
            f"is {mode}."
        )
    _CHECKS[rule["type"]](platform, workspace.id, id.name, rule)
    rule["category"] = "UserDefined"
    rule["status"] = networks.ACTIVE if networks.is_ready(workspace.body) else networks.INACTIVE
    platform.part(_Begun).rules[str(id).lower()] = _finished(platform, workspace.id)
    return {**body, "properties": rule}


def _finished(platform: Platform, workspace_id: str) -> frozenset[str]:
    rules = (rule.body for rule in networks.rules_of(platform, workspace_id))
    return frozenset(rule["name"] for rule in rules if rule["properties"].get("provisioningState") == "Succeeded")


def _check_private_endpoint(platform: Platform, workspace_id: str, name: str, rule: Json) -> None:
    destination = rule.get("destination") or {}
    target = ResourceId.parse(str(destination.get("serviceResourceId") or ""))
    subresource = str(destination.get("subresourceTarget") or "")
    if target is None or target.type.lower() not in _TARGETS:
        raise _refusal(
            f"Outbound rule '{name}': destination.serviceResourceId must be the ARM id of a resource that managed "
            "networks have private endpoints to."
        )
    known = _TARGETS[target.type.lower()]
    if not subresource or (known is not None and subresource.lower() not in {each.lower() for each in known}):
        allowed = f"; allowed: {', '.join(known)}" if known else ""
        raise _refusal(f"Outbound rule '{name}': '{subresource}' is not a subresource of {target.type}{allowed}.")
    for other in networks.rules_of(platform, workspace_id):
        if other.body["name"] != name and networks.leads_to(other.body, str(target), subresource):
            raise _refusal(
                f"Outbound rule '{name}': rule '{other.body['name']}' has the same destination "
                f"({target.name}, {subresource})."
            )
    rule["destination"] = {"sparkEnabled": False, "sparkStatus": "Inactive", **destination}


def _check_service_tag(_platform: Platform, _workspace_id: str, name: str, rule: Json) -> None:
    destination = rule.get("destination") or {}
    if not (destination.get("serviceTag") or destination.get("addressPrefixes")):
        raise _refusal(f"Outbound rule '{name}': destination.serviceTag or destination.addressPrefixes is required.")
    for key in ("protocol", "portRanges"):
        if not destination.get(key):
            raise _refusal(f"Outbound rule '{name}': destination.{key} is required.")
    rule["destination"] = {"action": "Allow", "addressPrefixes": [], **destination}


def _check_fqdn(_platform: Platform, _workspace_id: str, name: str, rule: Json) -> None:
    host = str(rule.get("destination") or "")
    if "." not in host:
        raise _refusal(f"Outbound rule '{name}': destination must be a fully qualified domain name.")
    if host.lower().endswith(_STORAGE_HOST):
        raise _refusal(
            f"Outbound rule '{name}': storage accounts cannot be reached by an FQDN rule; use a private endpoint."
        )


_CHECKS = {"PrivateEndpoint": _check_private_endpoint, "ServiceTag": _check_service_tag, "FQDN": _check_fqdn}


async def _created(platform: Platform, id: ResourceId) -> None:
    """Add a rule to its network. As in Azure, this removes rules that were added since the rule's creation started.

    Source: https://github.com/Azure/terraform-provider-azapi/issues/453
    """
    rule = platform.store.get(str(id))
    if rule is None:
        return
    networks.check(platform, rule.body)
    before = platform.part(_Begun).rules.pop(str(id).lower(), None)
    workspace_id = str(id.parent)
    if before is not None:
        for name in _finished(platform, workspace_id) - before - {id.name}:
            platform.store.delete(f"{workspace_id}/outboundRules/{name}")
    networks.show(platform, workspace_id)


def _check_deletion(_platform: Platform, id: ResourceId, body: Json) -> None:
    if body["properties"]["category"] == "Required":
        raise _refusal(f"Outbound rule '{id.name}' is required by the managed network and cannot be deleted.")


async def _deleting(platform: Platform, id: ResourceId) -> None:
    networks.show(platform, str(id.parent), without=str(id))


def _refusal(message: str) -> AzureError:
    return AzureError(400, "ValidationError", message)


TYPES = [
    ResourceType(
        RULE_TYPE,
        pattern=r"[\w.-]{1,255}",
        located=False,
        required=("properties.type",),
        linked={"properties.destination.serviceResourceId": identity_roles.APPROVAL},
        asynchronous=True,
        creation=202,
        prepare=_prepare,
        created=_created,
        check_deletion=_check_deletion,
        deleting=_deleting,
    )
]
