"""Deployment templates: what a model of a registry is served with on a managed online endpoint.

Sources: azure-ai-ml's client of the data plane (`genericasset`), and Microsoft's articles "What are deployment
templates?", "Manage models with deployment templates" and "CLI (v2) deployment template YAML schema".
"""

from __future__ import annotations

import re
from typing import Any

from amlite.core import durations
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.published import Models, fields
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import references

KIND = "deploymenttemplates"
_PROBES = ("livenessProbe", "readinessProbe")
_LEAST_1 = ("failureThreshold", "successThreshold", "initialDelay", "period", "timeout")
_MODELS = Models(
    {
        "models": {
            "DeploymentTemplate": {
                "fields": {
                    **{name: ["str", ""] for name in ("name", "version", "type", "stage", "description")},
                    **{name: ["map:str", ""] for name in ("tags", "properties", "environmentVariables")},
                    **{name: ["model:ProbeSettings", ""] for name in _PROBES},
                    "isArchived": ["bool", ""],
                    "displayName": ["str", ""],
                    "deploymentTemplateType": ["enum:DeploymentTemplateType", "r"],
                    "environmentId": ["str", "r"],
                    "allowedEnvironmentVariableOverrides": ["list:str", ""],
                    "modelMountPath": ["str", ""],
                    "requestSettings": ["model:OnlineRequestSettings", ""],
                    "allowedInstanceType": ["list:str", ""],
                    "acceleratorMaps": ["list:model:AcceleratorMap", ""],
                    "defaultInstanceType": ["str", "r"],
                    "instanceCount": ["int", "r"],
                    "scoringPath": ["str", "r"],
                    "scoringPort": ["int", "r"],
                }
            },
            "OnlineRequestSettings": {
                "fields": {"requestTimeout": ["duration", ""], "maxConcurrentRequestsPerInstance": ["int", ""]}
            },
            "ProbeSettings": {
                "fields": {
                    **{name: ["duration", ""] for name in ("initialDelay", "period", "timeout")},
                    **{name: ["int", ""] for name in ("failureThreshold", "successThreshold", "port")},
                    **{name: ["str", ""] for name in ("path", "scheme", "httpMethod")},
                }
            },
            "AcceleratorMap": {
                "fields": {
                    "acceleratorType": ["str", "r"],
                    "numberOfAcceleratorsPerModelInstance": ["int", "r"],
                    "default": ["bool", ""],
                }
            },
        },
        "enums": {"DeploymentTemplateType": ["Managed"]},
    },
    code="ValidationError",
)
# What the service says of a template, and a client sends back: it reads a template, changes it and writes all of it.
_SAID = ("id", "name", "version", "type", "systemData", "createdTime", "createdBy", "modifiedTime", "modifiedBy")
_MUTABLE = {"description", "tags", "properties", "stage", "isArchived"}
_NAME = re.compile(r"[a-zA-Z0-9][\w.-]{0,254}")
_VERSION = re.compile(r"[\w.-]{1,128}")


def prepare(platform: Platform, name: str, version: str, body: Json, old: Json | None) -> Json:
    """Check the body of a version and return the properties to store.

    Raises AzureError 400 for a template that nothing could be deployed with, and 409 if the content would change.
    """
    given = _written(name, version, body)
    given["environmentId"] = _environment(platform, given["environmentId"])
    for problem in _problems(given):
        raise AzureError(400, "ValidationError", f"The request is invalid. {problem}")
    stage = given.get("stage") or "Development"
    is_archived = given.get("isArchived", stage.lower() in ("archive", "archived"))
    if is_archived != (stage.lower() in ("archive", "archived")):  # a client may set the one or the other
        stage = "Archived" if is_archived else "Development"
    properties: Json = {"tags": {}, "properties": {}, **given, "stage": stage, "isArchived": is_archived}
    if old is not None:
        if changed := _changed(old, properties):
            raise AzureError(
                409,
                "UserError",
                f"Deployment template {name} with version {version} is already registered and cannot be changed "
                f"(differs in {', '.join(changed)}). Only its tags, description and stage can: create another version.",
            )
        properties["properties"] = {**old["properties"], **properties["properties"]}
    return properties


def shown(document: Document) -> Json:
    """Return a stored version as the data plane shows it."""
    *_, name, _, version = document.id.split("/")
    system = document.body["systemData"]
    return {
        **document.body["properties"],
        "id": document.id,
        "name": name,
        "version": version,
        "type": KIND,
        "createdTime": system["createdAt"],
        "createdBy": {"userName": system["createdBy"]},
        "modifiedTime": system["lastModifiedAt"],
        "modifiedBy": {"userName": system["lastModifiedBy"]},
    }


def listed(query: Json, documents: list[Document]) -> list[Document]:
    """Return the versions that the filters `name`, `stage` and `tags` (`tag1,tag2=value2`) of a list select."""
    name, stage = str(query.get("name") or "").lower(), str(query.get("stage") or "").lower()
    tags = [each.partition("=") for each in str(query.get("tags") or "").split(",") if each]
    return [
        each
        for each in documents
        if name in ("", each.id.split("/")[-3].lower())
        and stage in ("", each.body["properties"]["stage"].lower())
        and all(
            tag in each.body["properties"]["tags"] and (not mark or each.body["properties"]["tags"][tag] == value)
            for tag, mark, value in tags
        )
    ]


def check_of_model(platform: Platform, properties: Json) -> None:
    """Check the references of a registry's model to its templates. Raises AzureError 400."""
    given = fields(
        properties, {"defaultDeploymentTemplate": "map:str", "allowedDeploymentTemplates": "list:map:str"}, _invalid
    )
    default = given.get("defaultDeploymentTemplate")
    if default is not None:
        _find(platform, "defaultDeploymentTemplate", default)
        if "/versions/" not in default["assetId"].lower():
            raise _invalid("defaultDeploymentTemplate.assetId: must name a version, …/versions/<version>.")
    for index, each in enumerate(given.get("allowedDeploymentTemplates") or ()):
        _find(platform, f"allowedDeploymentTemplates[{index}]", each)


def _find(platform: Platform, where: str, reference: Json) -> None:
    try:
        references.asset(platform, "", _in_registry(f"{where}.assetId", reference.get("assetId") or ""), KIND)
    except AzureError as error:
        raise _invalid(f"{where}.assetId: {error.message}") from error


def _in_registry(where: str, reference: str) -> str:
    if not references.is_in_registry(reference):
        form = f"azureml://registries/<registry>/{KIND}/<name>/versions/<version>"
        raise AzureError(400, "ValidationError", f"'{reference}' is not of the form {form} ({where}).")
    return reference


def _invalid(told: str) -> AzureError:
    return AzureError(400, "ValidationError", f"properties.{told}")


def _written(name: str, version: str, body: Json) -> Json:
    """Return the fields of a body that are stored, checked against their model."""
    if _NAME.fullmatch(name) is None or _VERSION.fullmatch(version) is None:
        raise AzureError(400, "UserError", f"'{name}', version '{version}', is not a name of a deployment template.")
    both = {**body, "allowedInstanceType": body.get("allowedInstanceType") or body.get("allowedInstanceTypes")}
    both.pop("allowedInstanceTypes", None)  # azure-ai-ml sends it too
    known = _MODELS.fields("DeploymentTemplate").keys() | set(_SAID)
    if unknown := sorted(both.keys() - known):
        raise AzureError(400, "ValidationError", f"A deployment template has no field {', '.join(unknown)}.")
    written = _MODELS.writable("DeploymentTemplate", both)
    for field, wanted in (("name", name), ("version", version), ("type", KIND)):
        if written.get(field, wanted).lower() != wanted.lower():
            raise AzureError(400, "ValidationError", f"{field}: '{written[field]}' is not '{wanted}', as in the path.")
    return {key: value for key, value in written.items() if key not in _SAID}


def _environment(platform: Platform, reference: str) -> str:
    """Return the reference to the version of a registry's environment. Raises AzureError 400 for any other."""
    reference = re.sub("^azureml:(?=azureml:)", "", reference, flags=re.IGNORECASE)
    if not references.is_in_registry(reference) or "/versions/" not in reference.lower():
        raise AzureError(
            400,
            "ValidationError",
            f"environmentId: '{reference}' is not a version of an environment in a registry: a deployment template "
            "takes azureml://registries/<registry>/environments/<name>/versions/<version> only.",
        )
    try:
        references.asset(platform, "", reference, "environments")
    except AzureError as error:
        raise AzureError(400, "ValidationError", f"environmentId: {error.message}") from error
    return reference


def _problems(given: Json) -> list[str]:
    """Return what a template has out of range."""
    found = []
    if given["instanceCount"] < 1:
        found.append(f"instanceCount: must be at least 1, not {given['instanceCount']}.")
    ports = {"scoringPort": given["scoringPort"]}
    for name in _PROBES:
        probe = given.get(name) or {}
        ports[f"{name}.port"] = probe.get("port", 1)
        found += [f"{name}.{key}: must be at least 1." for key in _LEAST_1 if key in probe and _number(probe[key]) < 1]
    found += [f"{name}: {port} is not a port." for name, port in ports.items() if not 0 < port < 1 << 16]
    requests = given.get("requestSettings") or {}
    found += [f"requestSettings.{key}: must be more than 0." for key, value in requests.items() if _number(value) <= 0]
    return found


def _number(value: Any) -> float:
    """Return a number, or the seconds of a duration, for comparisons. A duration of years or months has none."""
    if not isinstance(value, str):
        return float(value)
    found = durations.parse(value)
    return found.total_seconds() if found is not None else -1


def _changed(old: Json, new: Json) -> list[str]:
    """Return the content that differs. A duration may be written in another form."""
    before, after = _content(old), _content(new)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _content(properties: Json) -> Json:
    content = {key: value for key, value in properties.items() if key not in _MUTABLE and value not in ({}, [])}
    for name in (*_PROBES, "requestSettings"):
        if name in content:
            timed = (*_LEAST_1, "requestTimeout")
            content[name] = {key: _number(each) if key in timed else each for key, each in content[name].items()}
    return content
