"""Write `arm.json` from the models of Microsoft's management packages, which must be installed.

Run `python -m amlite.services.arm.published.generate`. The file has one model per line, in the format of
`amlite.services.machinelearning.published.generate`. The only mark is that of read-only properties, which nobody can
write: an identity's `principalId` would be that of another one. Resource types are models with the type's name.
"""

from __future__ import annotations

import enum
import importlib
import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("arm.json")
_MGMT = "azure.mgmt"
# Resource type -> package and model of the body of a PUT.
ROOTS = {
    "Microsoft.Authorization/roleAssignments": ("authorization", "RoleAssignmentCreateParameters"),
    "Microsoft.ContainerRegistry/registries": ("containerregistry", "Registry"),
    "Microsoft.ContainerService/managedClusters": ("containerservice", "ManagedCluster"),
    "Microsoft.ContainerService/managedClusters/agentPools": ("containerservice", "AgentPool"),
    "Microsoft.DataFactory/factories": ("datafactory", "Factory"),
    "Microsoft.DataFactory/factories/linkedservices": ("datafactory", "LinkedServiceResource"),
    "Microsoft.DataFactory/factories/pipelines": ("datafactory", "PipelineResource"),
    "Microsoft.DataFactory/factories/triggers": ("datafactory", "TriggerResource"),
    "Microsoft.Databricks/accessConnectors": ("databricks", "AccessConnector"),
    "Microsoft.Databricks/workspaces": ("databricks", "Workspace"),
    "Microsoft.EventGrid/systemTopics": ("eventgrid", "SystemTopic"),
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": ("eventgrid", "EventSubscription"),
    "Microsoft.Insights/actionGroups": ("monitor", "ActionGroupResource"),
    "Microsoft.Insights/autoscaleSettings": ("monitor", "AutoscaleSettingResource"),
    "Microsoft.Insights/components": ("applicationinsights", "ApplicationInsightsComponent"),
    "Microsoft.Insights/metricAlerts": ("monitor", "MetricAlertResource"),
    "Microsoft.KeyVault/vaults": ("keyvault", "VaultCreateOrUpdateParameters"),
    "Microsoft.KubernetesConfiguration/extensions": ("kubernetesconfiguration.extensions", "Extension"),
    "Microsoft.KubernetesConfiguration/fluxConfigurations": (
        "kubernetesconfiguration.fluxconfigurations",
        "FluxConfiguration",
    ),
    "Microsoft.Logic/workflows": ("logic", "Workflow"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("msi", "Identity"),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": (
        "msi",
        "FederatedIdentityCredential",
    ),
    "Microsoft.OperationalInsights/workspaces": ("loganalytics", "Workspace"),
    "Microsoft.Storage/storageAccounts": ("storage", "StorageAccountCreateParameters"),
    "Microsoft.Storage/storageAccounts/blobServices": ("storage", "BlobServiceProperties"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": ("storage", "BlobContainer"),
    "Microsoft.Storage/storageAccounts/queueServices": ("storage", "QueueServiceProperties"),
    "Microsoft.Storage/storageAccounts/queueServices/queues": ("storage", "StorageQueue"),
}
# Data Factory has hundreds of kinds of activities, linked services and data sets. These are the ones that amlite reads.
_SERVED = frozenset(
    {
        *("DatabricksJob", "Fail", "IfCondition", "SetVariable", "Until", "Wait", "WebActivity"),
        *("AzureDatabricks", "BlobEventsTrigger", "ScheduleTrigger"),
    }
)
_SCALARS = {
    "str": "str", "int": "int", "long": "int", "float": "float", "bool": "bool",
    "iso-8601": "datetime", "duration": "duration", "datetime.datetime": "datetime", "datetime.timedelta": "duration",
}  # fmt: skip
_READ_ONLY = ("any", "o")

Model = dict[str, Any]


class _Reader:
    """Collects the models that others refer to."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}

    def add(self, name: str, model: type) -> None:
        """Add a model by a name, with what it refers to."""
        entry: Model = {"fields": {}}
        self.models[name] = entry
        older = hasattr(model, "_attribute_map")
        for path, (kind, marks) in (self._older(model) if older else self._newer(model)).items():
            self._put(name, path, kind, marks)
        subtypes = _subtypes(model, older=older)
        if subtypes is not None:
            field, kinds = subtypes
            entry["kind"] = [field, {value: self.reference(kind) for value, kind in kinds.items()}]

    def reference(self, model: type) -> str:
        """Return the name of a model, which is added if it is new."""
        name = f"{model.__module__.removeprefix(f'{_MGMT}.').split('.models')[0]}.{model.__name__}"
        if name not in self.models:
            self.add(name, model)
        return name

    def _put(self, name: str, path: list[str], kind: str, marks: str) -> None:
        """Set the type and marks of a property, which may lie inside of others that the package flattens."""
        for outer in path[:-1]:
            inner = f"{name}.{outer}"
            self.models.setdefault(inner, {"fields": {}})
            self.models[name]["fields"][outer] = [f"model:{inner}", ""]
            name = inner
        self.models[name]["fields"][path[-1]] = [kind, marks]

    def _older(self, model: Any) -> dict[Any, tuple[str, str]]:
        module = importlib.import_module(model.__module__.rpartition(".")[0])
        found = {}
        for attribute, entry in model._attribute_map.items():
            if entry["key"]:
                path = tuple(part.replace("\0", ".") for part in entry["key"].replace("\\.", "\0").split("."))
                read_only = model._validation.get(attribute, {}).get("readonly")
                found[path] = _READ_ONLY if read_only else (self._older_type(module, entry["type"]), "")
        return found

    def _older_type(self, module: Any, text: str) -> str:
        if text[0] in "[{":
            return f"{'list' if text[0] == '[' else 'map'}:{self._older_type(module, text[1:-1])}"
        return self._held(getattr(module, text, None)) or _SCALARS.get(text, "any")

    def _newer(self, model: Any) -> dict[Any, tuple[str, str]]:
        model({})  # the generated base class collects its fields on first use
        module = importlib.import_module(model.__module__.rpartition(".")[0])
        found = {}
        for attribute, field in model._attr_to_rest_field.items():
            annotation = next(
                str(base.__annotations__[attribute])
                for base in model.__mro__
                if attribute in vars(base).get("__annotations__", {})
            )
            read_only = field._visibility == ["read"]
            found[(field._rest_name,)] = _READ_ONLY if read_only else (self._newer_type(module, annotation), "")
        return found

    def _newer_type(self, module: Any, text: str) -> str:
        text = re.sub(r"typing\.|(?:ForwardRef\(|<class )'(.*?)'[)>]", r"\1", text).strip("\"'")
        if match := re.fullmatch(r"Optional\[(.*)\]", text, re.DOTALL):
            return self._newer_type(module, match[1])
        if match := re.fullmatch(r"(list|dict)\[(?:str, ?)?(.*)\]", text, re.DOTALL | re.IGNORECASE):
            return f"{'list' if match[1].lower() == 'list' else 'map'}:{self._newer_type(module, match[2])}"
        if text.startswith("Union[str, "):
            return "str"
        if text.startswith("Literal["):
            return "str"
        return self._held(getattr(module, text.rpartition(".")[2], None)) or _SCALARS.get(text, "any")

    def _held(self, held: Any) -> str | None:
        if not isinstance(held, type):
            return None
        return "str" if issubclass(held, enum.Enum) else f"model:{self.reference(held)}"


def _subtypes(model: Any, *, older: bool) -> tuple[str, dict[str, type]] | None:
    if older:
        module = importlib.import_module(model.__module__.rpartition(".")[0])
        for attribute, names in vars(model).get("_subtype_map", {}).items():
            kinds = {value: getattr(module, name) for value, name in names.items()}
            return model._attribute_map[attribute]["key"].replace("\\.", "."), _served(model, kinds)
        return None
    kinds = dict(getattr(model, "__mapping__", {}))
    own = next((f for f in model._attr_to_rest_field.values() if f._is_discriminator), None)
    bases = [
        base for base in model.__mro__[1:] if getattr(base, "__mapping__", None) is getattr(model, "__mapping__", {})
    ]
    return (own._rest_name, _served(model, kinds)) if own is not None and kinds and not bases else None


def _served(model: type, kinds: dict[str, type]) -> dict[str, type]:
    if ".datafactory." not in model.__module__:
        return kinds
    return {value: kind for value, kind in kinds.items() if value in _SERVED}


def published() -> dict[str, Any]:
    """Return the models of every root."""
    reader = _Reader()
    for name, (package, model) in ROOTS.items():
        reader.add(name, getattr(importlib.import_module(f"{_MGMT}.{package}.models"), model))
    return {"models": dict(sorted(reader.models.items())), "enums": {}}


def text(content: dict[str, Any]) -> str:
    """Return the file's text, with one entry per line."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content["models"].items())
    return f'{{"models": {{\n{lines}\n}},\n"enums": {{}}}}\n'


if __name__ == "__main__":
    TARGET.write_text(text(published()), "utf-8")
