"""The mapping of each azure-native resource type to ARM: its path and the shape of its body.

The SDK knows the properties but not where they go. Most follow one rule: the fields of ARM's envelope (`ENVELOPE`) stay
beside `properties`; all others go into it under their own names. `TYPES` holds the path of each type and its
exceptions to that rule. A conformance test walks every property of every type here against the models in azure-mgmt-*.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from amlite.pulumi import sdk_types
from amlite.pulumi.values import UNKNOWN
from amlite.services.datafactory.definition import unsupported

ENVELOPE = frozenset(
    {
        *(
            "eTag",
            "etag",
            "extendedLocation",
            "id",
            "identity",
            "kind",
            "location",
            "managedBy",
            "name",
            "plan",
            "properties",
            "sku",
        ),
        *("systemData", "tags", "type", "zones"),
    }
)
_TYPE_PROPERTIES = "typeProperties"
_RESOURCE_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_CLUSTER = f"{_RESOURCE_GROUP}/providers/{{clusterRp}}/{{clusterResourceName}}/{{clusterName}}"


@dataclass(frozen=True)
class ResourceType:
    """One resource type's place in ARM.

    `path` is a template over the subscription and the inputs that identify the resource; the last one is its name.
    `wire_names` renames: dotted SDK path -> name in ARM's JSON, of that one property (dotted where
    ARM nests deeper; a backslash keeps a dot in a name). `inside_properties` are envelope
    names that this type keeps inside `properties`. `string_sets` are lists of ids in the SDK that ARM writes as an
    object with the ids as keys. `type_properties` maps the names of polymorphic properties to what stays beside
    `typeProperties`, into which ARM puts what depends on the kind. `random_name` is the form of a name that the user
    leaves to the provider. `refusals` returns why amlite refuses ARM's body, as far as a preview knows it.
    """

    path: str
    wire_names: Mapping[str, str] = field(default_factory=dict)
    inside_properties: frozenset[str] = frozenset()
    string_sets: frozenset[str] = frozenset({"identity.userAssignedIdentities"})
    type_properties: Mapping[str, frozenset[str]] = field(default_factory=dict)
    random_name: Literal["suffix", "alphanumeric", "uuid"] = "suffix"
    refusals: Callable[[dict[str, Any]], list[str]] = lambda _body: []

    @property
    def path_inputs(self) -> tuple[str, ...]:
        """The inputs that identify the resource, parents first, its own name last."""
        names = [name for _, name, _, _ in string.Formatter().parse(self.path) if name]
        return tuple(name for name in names if name != "subscriptionId")

    @property
    def name_input(self) -> str:
        """The input that holds the resource's own name."""
        return self.path_inputs[-1]

    def arm_path(self, subscription_id: str, inputs: Mapping[str, Any]) -> str:
        """The resource's ARM id, from its inputs."""
        values = {name: str(inputs[name]) for name in self.path_inputs}
        if "scope" in values:
            values["scope"] = values["scope"].strip("/")
        return self.path.format(subscriptionId=subscription_id, **values)

    def path_values(self, arm_id: str) -> dict[str, str] | None:
        """The identifying inputs that an ARM id holds; None where it is the id of another type."""
        pattern = re.sub(r"\\{(\w+)\\}", lambda match: _group(match[1]), re.escape(self.path))
        match = re.fullmatch(pattern, arm_id, re.IGNORECASE)
        if match is None:
            return None
        values = match.groupdict()
        values.pop("subscriptionId", None)
        if "scope" in values:
            values["scope"] = f"/{values['scope']}"
        return values

    def body(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """ARM's request body for these inputs."""
        body: dict[str, Any] = {}
        for name, value in inputs.items():
            if name in self.path_inputs:
                continue
            place = body if self._in_envelope(name) else body.setdefault("properties", {})
            place[self.wire_names.get(name, name)] = self._to_wire(value, name)
        return body

    def flatten(self, body: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
        """ARM's answer as the SDK names it: `known` is the SDK's properties of the type (name -> type or Field)."""
        flat: dict[str, Any] = {}
        inner = body.get("properties") or {}
        for name in known:
            source = body if self._in_envelope(name) else inner
            wire_name = self.wire_names.get(name, name)
            if source.get(wire_name) is not None:
                flat[name] = self._from_wire(source[wire_name], name)
        return flat

    def _in_envelope(self, name: str) -> bool:
        return name in ENVELOPE and name not in self.inside_properties

    def _to_wire(self, value: Any, path: str) -> Any:
        if path in self.string_sets and isinstance(value, list):
            return {item: {} for item in value}
        if isinstance(value, Mapping):
            body: dict[str, Any] = {}
            beside = self.type_properties.get(path.rpartition(".")[2])
            for name, item in value.items():
                *parents, wire_name = _parts(self.wire_names.get(f"{path}.{name}", name))
                if beside is not None and name not in beside:
                    parents = [_TYPE_PROPERTIES]
                place = body
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[wire_name] = self._to_wire(item, f"{path}.{name}")
            return body
        if isinstance(value, list):
            return [self._to_wire(item, path) for item in value]
        return value

    def _from_wire(self, value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            sdk_names: dict[str, str] = {
                wire: sdk_path.removeprefix(f"{path}.")
                for sdk_path, wire in self.wire_names.items()
                if sdk_path.rpartition(".")[0] == path
            }
            flattened = {_parts(wire)[0] for wire in sdk_names if len(_parts(wire)) > 1}
            sdk_names = {".".join(_parts(wire)): name for wire, name in sdk_names.items()}
            found: dict[str, Any] = {}
            body: Mapping[str, Any] = value
            if path.rpartition(".")[2] in self.type_properties:
                beside = {name: item for name, item in value.items() if name != _TYPE_PROPERTIES}
                body = {**beside, **(value.get(_TYPE_PROPERTIES) or {})}
            for wire, item in body.items():
                pairs: list[tuple[str, Any]] = [(sdk_names.get(wire, wire), item)]
                if wire in flattened:
                    nested: Mapping[str, Any] = item or {}
                    pairs = [(sdk_names.get(f"{wire}.{inner}", inner), each) for inner, each in nested.items()]
                found |= {name: self._from_wire(each, f"{path}.{name}") for name, each in pairs if each is not None}
            return found
        if isinstance(value, list):
            return [self._from_wire(item, path) for item in value]
        return value

    def as_inputs(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs with the SDK's lists of ids back in the form in which they are given as inputs."""
        return {name: self._as_input(value, name) for name, value in outputs.items()}

    def _as_input(self, value: Any, path: str) -> Any:
        if path in self.string_sets and isinstance(value, Mapping):
            return sorted(value)
        if isinstance(value, Mapping):
            return {name: self._as_input(item, f"{path}.{name}") for name, item in value.items()}
        return value


def _parts(wire_name: str) -> list[str]:
    """Split a dotted wire name. A backslash before a dot keeps it."""
    return [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", wire_name)]


def _group(name: str) -> str:
    return f"(?P<{name}>.+)" if name == "scope" else f"(?P<{name}>[^/]+)"


def preview_outputs(inputs: Mapping[str, Any], outputs: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the expected outputs: the input if given, else the value `before`, else unknown."""
    found: dict[str, Any] = {}
    for name, kind in outputs.items():
        inner = sdk_types.output_fields(kind)
        given, old = inputs.get(name), before.get(name)
        if isinstance(given, Mapping) and inner is not None:
            found[name] = preview_outputs(given, inner, old if isinstance(old, Mapping) else {})
        elif given is not None and not (isinstance(given, list) and _is_map(kind)):
            found[name] = given
        else:
            found[name] = old if old is not None else UNKNOWN
    return found


def _is_map(kind: Any) -> bool:
    """Whether an output is a map: one whose input is a list of its keys (`userAssignedIdentities`) has values later."""
    return any(get_origin(option) is Mapping for option in (kind, *get_args(kind)))


def _hyphenated(name: str) -> str:
    return re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f"-{letter[0]}", name).lower()


_AUTOSCALER = (
    "balanceSimilarNodeGroups", "daemonsetEvictionForEmptyNodes", "daemonsetEvictionForOccupiedNodes",
    "ignoreDaemonsetsUtilization", "maxEmptyBulkDelete", "maxGracefulTerminationSec", "maxNodeProvisionTime",
    "maxTotalUnreadyPercentage", "newPodScaleUpDelay", "okTotalUnreadyCount", "scaleDownDelayAfterAdd",
    "scaleDownDelayAfterDelete", "scaleDownDelayAfterFailure", "scaleDownUnneededTime", "scaleDownUnreadyTime",
    "scaleDownUtilizationThreshold", "scanInterval", "skipNodesWithLocalStorage", "skipNodesWithSystemPods",
)  # fmt: skip
_DELIVERY = (
    "azureActiveDirectoryApplicationIdOrUri", "azureActiveDirectoryTenantId", "deliveryAttributeMappings",
    "endpointBaseUrl", "endpointUrl", "maxEventsPerBatch", "minimumTlsVersionAllowed", "preferredBatchSizeInKilobytes",
    "queueMessageTimeToLiveInSeconds", "queueName", "resourceId", "actionGroups", "description", "severity",
)  # fmt: skip
_ATTRIBUTE = ("isSecret", "sourceField", "value")
_DEAD_LETTERS = ("blobContainerName", "resourceId")
# The SDK has the properties of a destination beside its type. ARM has them one level deeper.
_EVENT_DESTINATIONS = {
    "deadLetterDestination": _DEAD_LETTERS,
    "deadLetterWithResourceIdentity.deadLetterDestination": _DEAD_LETTERS,
    "deliveryWithResourceIdentity.destination": _DELIVERY,
    "deliveryWithResourceIdentity.destination.deliveryAttributeMappings": _ATTRIBUTE,
    "destination": _DELIVERY,
    "destination.deliveryAttributeMappings": _ATTRIBUTE,
}
_ACTIVITY = frozenset(
    {
        *("dependsOn", "description", "linkedServiceName", "name", "onInactiveMarkAs", "policy", "state", "type"),
        "userProperties",
    }
)
_LINKED_SERVICE = frozenset({"annotations", "connectVia", "description", "parameters", "type", "version"})
_TRIGGER = frozenset({"annotations", "description", "pipelines", "runtimeState", "type"})
TYPES: Mapping[str, ResourceType] = {
    "azure-native:resources:ResourceGroup": ResourceType(_RESOURCE_GROUP),
    "azure-native:operationalinsights:Workspace": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.OperationalInsights/workspaces/{{workspaceName}}",
        inside_properties=frozenset({"sku"}),
    ),
    "azure-native:applicationinsights:Component": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Insights/components/{{resourceName}}",
        wire_names={
            "appId": "AppId",
            "applicationId": "ApplicationId",
            "applicationType": "Application_Type",
            "connectionString": "ConnectionString",
            "creationDate": "CreationDate",
            "disableIpMasking": "DisableIpMasking",
            "disableLocalAuth": "DisableLocalAuth",
            "flowType": "Flow_Type",
            "forceCustomerStorageForProfiler": "ForceCustomerStorageForProfiler",
            "hockeyAppId": "HockeyAppId",
            "hockeyAppToken": "HockeyAppToken",
            "immediatePurgeDataOn30Days": "ImmediatePurgeDataOn30Days",
            "ingestionMode": "IngestionMode",
            "instrumentationKey": "InstrumentationKey",
            "laMigrationDate": "LaMigrationDate",
            "privateLinkScopedResources": "PrivateLinkScopedResources",
            "privateLinkScopedResources.resourceId": "ResourceId",
            "privateLinkScopedResources.scopeId": "ScopeId",
            "requestSource": "Request_Source",
            "retentionInDays": "RetentionInDays",
            "samplingPercentage": "SamplingPercentage",
            "tenantId": "TenantId",
            "workspaceResourceId": "WorkspaceResourceId",
        },
    ),
    "azure-native:monitor:AutoscaleSetting": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Insights/autoscaleSettings/{{autoscaleSettingName}}",
        wire_names={
            "profiles.rules.metricTrigger.dimensions.dimensionName": "DimensionName",
            "profiles.rules.metricTrigger.dimensions.operator": "Operator",
            "profiles.rules.metricTrigger.dimensions.values": "Values",
        },
        inside_properties=frozenset({"name"}),
    ),
    "azure-native:storage:StorageAccount": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}",
        wire_names={
            "enableHttpsTrafficOnly": "supportsHttpsTrafficOnly",
            "enableNfsV3": "isNfsV3Enabled",
            "encryption.encryptionIdentity": "identity",
            "encryption.encryptionIdentity.encryptionUserAssignedIdentity": "userAssignedIdentity",
            "encryption.encryptionIdentity.encryptionFederatedIdentityClientId": "federatedIdentityClientId",
            "encryption.keyVaultProperties": "keyvaultproperties",
            "encryption.keyVaultProperties.keyName": "keyname",
            "encryption.keyVaultProperties.keyVaultUri": "keyvaulturi",
            "encryption.keyVaultProperties.keyVersion": "keyversion",
            "networkRuleSet": "networkAcls",
            "networkRuleSet.ipRules.iPAddressOrRange": "value",
            "networkRuleSet.virtualNetworkRules.virtualNetworkResourceId": "id",
        },
        random_name="alphanumeric",
    ),
    "azure-native:storage:BlobContainer": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}/blobServices/default/containers/"
        "{containerName}",
        wire_names={
            f"immutabilityPolicy.{name}": f"properties.{name}"
            for name in (
                "allowProtectedAppendWrites",
                "allowProtectedAppendWritesAll",
                "immutabilityPeriodSinceCreationInDays",
                "state",
            )
        },
    ),
    "azure-native:keyvault:Vault": ResourceType(f"{_RESOURCE_GROUP}/providers/Microsoft.KeyVault/vaults/{{vaultName}}"),
    "azure-native:containerregistry:Registry": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.ContainerRegistry/registries/{{registryName}}",
        wire_names={"networkRuleSet.ipRules.iPAddressOrRange": "value"},
        random_name="alphanumeric",
    ),
    "azure-native:managedidentity:UserAssignedIdentity": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}"
    ),
    "azure-native:managedidentity:FederatedIdentityCredential": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}"
        "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}"
    ),
    "azure-native:containerservice:ManagedCluster": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.ContainerService/managedClusters/{{resourceName}}",
        wire_names={f"autoScalerProfile.{name}": _hyphenated(name) for name in _AUTOSCALER},
    ),
    "azure-native:containerservice:AgentPool": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.ContainerService/managedClusters/{{resourceName}}"
        "/agentPools/{agentPoolName}",
        inside_properties=frozenset({"eTag", "tags", "type"}),
    ),
    "azure-native:kubernetesconfiguration:Extension": ResourceType(
        f"{_CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/{{extensionName}}"
    ),
    "azure-native:kubernetesconfiguration:FluxConfiguration": ResourceType(
        f"{_CLUSTER}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/{{fluxConfigurationName}}"
    ),
    "azure-native:machinelearningservices:Workspace": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{{workspaceName}}",
        wire_names={
            f"sharedPrivateLinkResources.{name}": f"properties.{name}"
            for name in ("groupId", "privateLinkResourceId", "requestMessage", "status")
        },
    ),
    "azure-native:machinelearningservices:Registry": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.MachineLearningServices/registries/{{registryName}}",
        wire_names={
            f"registryPrivateEndpointConnections.{name}": f"properties.{name}"
            for name in (
                "groupIds",
                "privateEndpoint",
                "provisioningState",
                "registryPrivateLinkServiceConnectionState",
            )
        },
    ),
    "azure-native:machinelearningservices:Compute": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{{workspaceName}}"
        "/computes/{computeName}"
    ),
    "azure-native:machinelearningservices:ManagedNetworkSettingsRule": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{{workspaceName}}"
        "/outboundRules/{ruleName}"
    ),
    "azure-native:storage:Queue": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}/queueServices/default"
        "/queues/{queueName}"
    ),
    "azure-native:eventgrid:SystemTopic": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.EventGrid/systemTopics/{{systemTopicName}}"
    ),
    "azure-native:eventgrid:SystemTopicEventSubscription": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.EventGrid/systemTopics/{{systemTopicName}}"
        "/eventSubscriptions/{eventSubscriptionName}",
        wire_names={
            f"{place}.{name}": f"properties.{name}" for place, names in _EVENT_DESTINATIONS.items() for name in names
        },
    ),
    "azure-native:monitor:ActionGroup": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Insights/actionGroups/{{actionGroupName}}"
    ),
    "azure-native:monitor:MetricAlert": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Insights/metricAlerts/{{ruleName}}",
        wire_names={"criteria.odataType": r"odata\.type", "actions.webHookProperties": "webHookProperties"},
    ),
    "azure-native:logic:Workflow": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Logic/workflows/{{workflowName}}",
        inside_properties=frozenset({"sku"}),
    ),
    "azure-native:datafactory:Factory": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.DataFactory/factories/{{factoryName}}"
    ),
    "azure-native:datafactory:LinkedService": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.DataFactory/factories/{{factoryName}}"
        "/linkedservices/{linkedServiceName}",
        type_properties={"properties": _LINKED_SERVICE},
    ),
    "azure-native:datafactory:Pipeline": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.DataFactory/factories/{{factoryName}}/pipelines/{{pipelineName}}",
        type_properties=dict.fromkeys(("activities", "ifFalseActivities", "ifTrueActivities"), _ACTIVITY),
        refusals=lambda body: unsupported(body.get("properties", {}).get("activities") or []),
    ),
    "azure-native:datafactory:Trigger": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.DataFactory/factories/{{factoryName}}/triggers/{{triggerName}}",
        type_properties={"properties": _TRIGGER},
    ),
    "azure-native:databricks:AccessConnector": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Databricks/accessConnectors/{{connectorName}}"
    ),
    "azure-native:databricks:Workspace": ResourceType(
        f"{_RESOURCE_GROUP}/providers/Microsoft.Databricks/workspaces/{{workspaceName}}",
        wire_names={
            "parameters.encryption.value.keyName": "KeyName",
            "parameters.encryption.value.keyVaultUri": "keyvaulturi",
            "parameters.encryption.value.keyVersion": "keyversion",
        },
    ),
    "azure-native:authorization:RoleDefinition": ResourceType(
        "/{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
        wire_names={"roleType": "type"},
        random_name="uuid",
    ),
    "azure-native:authorization:RoleAssignment": ResourceType(
        "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}", random_name="uuid"
    ),
}
