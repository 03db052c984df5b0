"""Every property of every type in amlite's azure-native table, held against Microsoft's published models.

The inputs that the SDK types allow are all filled in and turned into ARM's body, and each key of it must be a writable
property of the azure-mgmt-* model (for Azure ML: of the models in azure-ai-ml, which have the same API version).
The other way round, an answer with all that the model has must yield every output that the SDK declares.
"""

from __future__ import annotations

import enum
import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from pulumi._types import is_input_type

from amlite.pulumi import sdk_types
from amlite.pulumi.resource_types import TYPES

# token -> (models package, the model of the request, the model of the answer)
MODELS: Mapping[str, tuple[str, str, str]] = {
    "azure-native:resources:ResourceGroup": ("azure.mgmt.resource.resources.models", "ResourceGroup", "ResourceGroup"),
    "azure-native:operationalinsights:Workspace": ("azure.mgmt.loganalytics.models", "Workspace", "Workspace"),
    "azure-native:applicationinsights:Component": (
        "azure.mgmt.applicationinsights.models",
        "ApplicationInsightsComponent",
        "ApplicationInsightsComponent",
    ),
    "azure-native:monitor:AutoscaleSetting": (
        "azure.mgmt.monitor.models",
        "AutoscaleSettingResource",
        "AutoscaleSettingResource",
    ),
    "azure-native:monitor:ActionGroup": ("azure.mgmt.monitor.models", "ActionGroupResource", "ActionGroupResource"),
    "azure-native:monitor:MetricAlert": ("azure.mgmt.monitor.models", "MetricAlertResource", "MetricAlertResource"),
    "azure-native:eventgrid:SystemTopic": ("azure.mgmt.eventgrid.models", "SystemTopic", "SystemTopic"),
    "azure-native:eventgrid:SystemTopicEventSubscription": (
        "azure.mgmt.eventgrid.models",
        "EventSubscription",
        "EventSubscription",
    ),
    "azure-native:logic:Workflow": ("azure.mgmt.logic.models", "Workflow", "Workflow"),
    "azure-native:storage:Queue": ("azure.mgmt.storage.models", "StorageQueue", "StorageQueue"),
    "azure-native:storage:StorageAccount": (
        "azure.mgmt.storage.models",
        "StorageAccountCreateParameters",
        "StorageAccount",
    ),
    "azure-native:storage:BlobContainer": ("azure.mgmt.storage.models", "BlobContainer", "BlobContainer"),
    "azure-native:keyvault:Vault": ("azure.mgmt.keyvault.models", "VaultCreateOrUpdateParameters", "Vault"),
    "azure-native:containerregistry:Registry": ("azure.mgmt.containerregistry.models", "Registry", "Registry"),
    "azure-native:datafactory:Factory": ("azure.mgmt.datafactory.models", "Factory", "Factory"),
    "azure-native:datafactory:LinkedService": (
        "azure.mgmt.datafactory.models",
        "LinkedServiceResource",
        "LinkedServiceResource",
    ),
    "azure-native:datafactory:Pipeline": ("azure.mgmt.datafactory.models", "PipelineResource", "PipelineResource"),
    "azure-native:datafactory:Trigger": ("azure.mgmt.datafactory.models", "TriggerResource", "TriggerResource"),
    "azure-native:databricks:AccessConnector": (
        "azure.mgmt.databricks.models",
        "AccessConnector",
        "AccessConnector",
    ),
    "azure-native:databricks:Workspace": ("azure.mgmt.databricks.models", "Workspace", "Workspace"),
    "azure-native:managedidentity:UserAssignedIdentity": ("azure.mgmt.msi.models", "Identity", "Identity"),
    "azure-native:managedidentity:FederatedIdentityCredential": (
        "azure.mgmt.msi.models",
        "FederatedIdentityCredential",
        "FederatedIdentityCredential",
    ),
    "azure-native:containerservice:ManagedCluster": (
        "azure.mgmt.containerservice.models",
        "ManagedCluster",
        "ManagedCluster",
    ),
    "azure-native:containerservice:AgentPool": ("azure.mgmt.containerservice.models", "AgentPool", "AgentPool"),
    "azure-native:kubernetesconfiguration:Extension": (
        "azure.mgmt.kubernetesconfiguration.extensions.models",
        "Extension",
        "Extension",
    ),
    "azure-native:kubernetesconfiguration:FluxConfiguration": (
        "azure.mgmt.kubernetesconfiguration.fluxconfigurations.models",
        "FluxConfiguration",
        "FluxConfiguration",
    ),
    "azure-native:machinelearningservices:Workspace": (
        "azure.ai.ml._restclient.arm_ml_service.models",
        "Workspace",
        "Workspace",
    ),
    "azure-native:machinelearningservices:Registry": (
        "azure.ai.ml._restclient.arm_ml_service.models",
        "Registry",
        "Registry",
    ),
    "azure-native:machinelearningservices:Compute": (
        "azure.ai.ml._restclient.arm_ml_service.models",
        "ComputeResource",
        "ComputeResource",
    ),
    "azure-native:machinelearningservices:ManagedNetworkSettingsRule": (
        "azure.ai.ml._restclient.arm_ml_service.models",
        "OutboundRuleBasicResource",
        "OutboundRuleBasicResource",
    ),
    "azure-native:authorization:RoleDefinition": (
        "azure.mgmt.authorization.models",
        "RoleDefinition",
        "RoleDefinition",
    ),
    "azure-native:authorization:RoleAssignment": (
        "azure.mgmt.authorization.models",
        "RoleAssignmentCreateParameters",
        "RoleAssignment",
    ),
}

# The SDK speaks previews of the registry (2023-01-01) and of action groups; the published packages have only the stable
# versions, and mark what Azure fills in of an identity as read-only.
OF_THE_PREVIEW: Mapping[str, set[str]] = {
    "azure-native:containerregistry:Registry": {
        "body.properties.policies.softDeletePolicy is unknown",
        "body.identity.principalId is read-only",
        "body.identity.tenantId is read-only",
        "body.identity.userAssignedIdentities{}.clientId is read-only",
        "body.identity.userAssignedIdentities{}.principalId is read-only",
    },
    "azure-native:monitor:ActionGroup": {
        "body.identity is unknown",
        "body.properties.incidentReceivers is unknown",
        "body.properties.automationRunbookReceivers[].managedIdentity is unknown",
        "body.properties.azureFunctionReceivers[].managedIdentity is unknown",
        "body.properties.eventHubReceivers[].managedIdentity is unknown",
        "body.properties.logicAppReceivers[].managedIdentity is unknown",
        "body.properties.webhookReceivers[].managedIdentity is unknown",
    },
}
# Outputs of the previews, as above.
EXCUSED: Mapping[str, set[str]] = {
    "azure-native:containerregistry:Registry": {"policies.softDeletePolicy"},
    "azure-native:monitor:ActionGroup": {"identity", "incidentReceivers"},
}


# The kinds of activities, linked services and triggers that amlite has. The SDK has hundreds more.
SERVED = {
    *("DatabricksJob", "Fail", "IfCondition", "SetVariable", "Until", "Wait", "WebActivity"),
    *("AzureDatabricks", "BlobEventsTrigger", "ScheduleTrigger"),
}


@dataclass(frozen=True)
class WireField:
    """A property of a published model: the models it may hold (none: a plain value), list or map, writable."""

    models: tuple[type, ...]
    many: str
    writable: bool


@functools.cache
def wire_fields(model: type) -> Mapping[str, WireField]:
    """The JSON properties of a published model, dotted where the model flattens; both of Microsoft's generators."""
    if hasattr(model, "_attribute_map"):
        return _older_fields(model)
    cast("Any", model)({})  # the generated base class collects its fields on first use
    found = {}
    for name, field in model._attr_to_rest_field.items():  # type: ignore[attr-defined]
        annotation = next(
            str(base.__annotations__[name]) for base in model.__mro__ if name in vars(base).get("__annotations__", {})
        )
        module = importlib.import_module(model.__module__.rpartition(".")[0])
        models = tuple(getattr(module, each) for each in re.findall(r"_models\.(\w+)", annotation))
        many = "list" if "list[" in annotation.lower() else "map" if "dict[" in annotation.lower() else ""
        writable = field._visibility is None or {"create", "update"} & set(field._visibility)
        found[field._rest_name] = WireField(_with_subtypes(models), many, bool(writable))
    return found


def _older_fields(model: type) -> Mapping[str, WireField]:
    found = {}
    module = importlib.import_module(model.__module__.rpartition(".")[0])
    for name, entry in model._attribute_map.items():  # type: ignore[attr-defined]
        kind = entry["type"]
        many = {"[": "list", "{": "map"}.get(kind[0], "")
        held = getattr(module, kind.strip("[]{}"), None)
        models = (held,) if isinstance(held, type) and not issubclass(held, enum.Enum) else ()
        subtypes = [name for names in getattr(held, "_subtype_map", {}).values() for name in names.values()]
        models += tuple(getattr(module, name) for name in subtypes)
        writable = not model._validation.get(name, {}).get("readonly")  # type: ignore[attr-defined]
        found[entry["key"].replace("\\.", "\0")] = WireField(models, many, writable)
    return found


def _with_subtypes(models: tuple[type, ...]) -> tuple[type, ...]:
    found = list(models)
    for model in found:  # grows: a kind can have kinds of its own
        found += [each for each in getattr(model, "__mapping__", {}).values() if each not in found]
    return tuple(each for each in found if not issubclass(each, enum.Enum))


def examples(fields: Mapping[str, sdk_types.Field], seen: tuple[type, ...] = ()) -> Iterator[dict[str, Any]]:
    """Inputs with every property filled in; one more for each further kind of a polymorphic property."""
    columns = {name: list(_values(field, seen)) for name, field in fields.items()}
    for index in range(max((len(column) for column in columns.values()), default=1)):
        yield {name: column[min(index, len(column) - 1)] for name, column in columns.items() if column}


def _values(field: sdk_types.Field, seen: tuple[type, ...]) -> Iterator[Any]:
    if field.constant is not None:
        yield field.constant
        return
    for member in field.members:
        yield from _member_values(member, seen)


def _member_values(member: Any, seen: tuple[type, ...]) -> Iterator[Any]:
    plain = {str: "text", bool: True, int: 1, float: 0.5}
    if member in plain:
        yield plain[member]
    elif is_input_type(member):
        if member not in seen and is_served(member):
            yield from examples(sdk_types.fields(member), (*seen, member))
    elif (arguments := getattr(member, "__args__", None)) is not None:
        inner = sdk_types._members(arguments[-1])
        for item in (value for each in inner for value in _member_values(each, seen)):
            yield {"key": item} if len(arguments) == 2 else [item]


def is_served(member: Any) -> bool:
    kind = sdk_types.fields(member).get("type")
    if not member.__module__.startswith("pulumi_azure_native.datafactory") or kind is None or kind.constant is None:
        return True
    return not member.__name__.endswith(("ActivityArgs", "LinkedServiceArgs", "TriggerArgs")) or kind.constant in SERVED


def departures(body: Any, field: WireField, path: str) -> list[str]:
    """The paths of a body that the published model does not have, or only returns."""
    if field.many == "list" and isinstance(body, list):
        return [each for item in body for each in departures(item, WireField(field.models, "", True), f"{path}[]")]
    if field.many == "map" and isinstance(body, dict):
        items = body.values()
        return [each for item in items for each in departures(item, WireField(field.models, "", True), f"{path}{{}}")]
    if not field.models or not isinstance(body, dict):
        return []
    attempts = [_object_departures(body, wire_fields(model), path) for model in field.models]
    return min(attempts, key=len)


def _object_departures(body: dict[str, Any], known: Mapping[str, WireField], path: str, prefix: str = "") -> list[str]:
    found = []
    for name, value in body.items():
        here = f"{path}.{name}"
        if (field := known.get(prefix + name.replace(".", "\0"))) is not None:
            found += departures(value, field, here) if field.writable else [f"{here} is read-only"]
        elif isinstance(value, dict) and any(key.startswith(f"{prefix}{name}.") for key in known):
            found += _object_departures(value, known, here, f"{prefix}{name}.")
        else:
            found.append(f"{here} is unknown")
    return found


def answer(model: type, seen: tuple[type, ...] = ()) -> dict[str, Any]:
    """An answer with everything that the published model can hold."""
    body: dict[str, Any] = {}
    for key, field in wire_fields(model).items():
        value: Any = "text"
        if field.models:
            if field.models[0] in seen:
                continue
            value = {}
            for held in field.models:
                value = merged(value, answer(held, (*seen, model)))
        if field.many:
            value = [value] if field.many == "list" else {"key": value}
        *parents, name = key.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name.replace("\0", ".")] = value
    return body


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both objects in one: a polymorphic property's answer has what each of its kinds can have."""
    shared = [key for key in one.keys() & other.keys() if isinstance(one[key], dict) and isinstance(other[key], dict)]
    both = {key: merged(one[key], other[key]) for key in shared}
    return {**one, **other, **both}


def test_every_type_of_the_table_is_checked() -> None:
    assert set(MODELS) == set(TYPES)


@pytest.mark.parametrize("token", TYPES)
def test_body_is_one_that_the_published_model_takes(token: str) -> None:
    package, request, _ = MODELS[token]
    model = getattr(importlib.import_module(package), request)
    for example in examples(sdk_types.load(token).inputs):
        body = TYPES[token].body(example)
        found = set(departures(body, WireField((model,), "", True), "body"))
        assert found == OF_THE_PREVIEW.get(token, set())


@pytest.mark.parametrize("token", TYPES)
def test_answer_yields_every_output_of_the_sdk(token: str) -> None:
    package, _, response = MODELS[token]
    model = getattr(importlib.import_module(package), response)
    outputs = sdk_types.load(token).outputs
    found = TYPES[token].flatten(answer(model), outputs)
    # The provider itself adds the version; ARM adds systemData to every resource, with no word in some models.
    excused = {"azureApiVersion", "systemData"} | EXCUSED.get(token, set())
    assert set(absent(outputs, found)) <= excused


def absent(outputs: Mapping[str, Any], found: Any, path: str = "") -> Iterator[str]:
    """The outputs that the SDK declares and the answer did not yield, also inside objects."""
    for name, kind in outputs.items():
        if name not in found:
            yield path + name
        elif (inner := sdk_types.output_fields(kind)) is not None and isinstance(found[name], dict):
            yield from absent(inner, found[name], f"{path}{name}.")
