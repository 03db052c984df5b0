"""The rules of asset versions: mutable properties, properties the service adds, and a container's version properties.

The content of an existing version never changes. Its tags, description, properties and archived flag may change.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from amlite.core import bodies
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.machinelearning import references
from amlite.services.machinelearning.published.validation import writable
from amlite.services.machinelearning.references import URI_PROPERTY, WORKSPACE_TYPE

ANONYMOUS = {"components": "azureml_anonymous", "environments": "CliV2AnonymousEnvironment"}
_MODELS = {
    "codes": ("CodeContainer", "CodeVersion"),
    "components": ("ComponentContainer", "ComponentVersion"),
    "data": ("DataContainer", "DataVersionBase"),
    "environments": ("EnvironmentContainer", "EnvironmentVersion"),
    "models": ("ModelContainer", "ModelVersion"),
}
_TEMPLATES = ("defaultDeploymentTemplate", "allowedDeploymentTemplates")
_MUTABLE = {
    *("description", "tags", "properties", "isArchived", "isAnonymous", "stage", "provisioningState", "flavors"),
    *_TEMPLATES,
}
# The mutable keys of a specification, and the keys that a client writes back into it after reading a component.
_MUTABLE_IN_SPEC = {"description", "tags", "display_name"}
_SAID_IN_SPEC = {"id", "creation_context"}
_NAME = re.compile(r"[a-zA-Z0-9][\w.-]{0,254}")
_VERSION = re.compile(r"[\w.-]{1,128}")


def container_type(kind: str) -> str:
    """Return the ARM type of an asset container, such as `…/workspaces/models`."""
    return f"{WORKSPACE_TYPE}/{kind}"


def version_type(kind: str) -> str:
    """Return the ARM type of an asset version, such as `…/workspaces/models/versions`."""
    return f"{WORKSPACE_TYPE}/{kind}/versions"


def prepare_container(kind: str, name: str, body: Json) -> Json:
    """Check a container's body and return the properties to store."""
    check_name(kind, name)
    properties: Json = writable(_MODELS[kind][0], body)["properties"]
    return {"tags": {}, "properties": {}, "isArchived": False, **properties}


def prepare_version(
    platform: Platform, workspace: Document, kind: str, name: str, version: str, body: Json, old: Json | None
) -> Json:
    """Check a version's body against its model, its references and the stored version. Return the properties to store.

    Raises the service's AzureError 400 or 409 if the body would change the content of an existing version.
    """
    check_name(kind, name)
    if _VERSION.fullmatch(version) is None:
        raise AzureError(
            400, "UserError", f"The version '{version}' is invalid: versions are letters, digits, '.', '_' and '-'."
        )
    given: Json = writable(_MODELS[kind][1], body)["properties"]
    properties: Json = {
        "tags": {},
        "properties": {},
        "isAnonymous": name == ANONYMOUS.get(kind),
        "isArchived": False,
        **given,
        "provisioningState": "Succeeded",
    }
    if kind in URI_PROPERTY and properties.get(URI_PROPERTY[kind]):
        _resolve_uri(platform, workspace.id, kind, properties)
    if check := _CHECKS.get(kind):
        check(platform, workspace, name, version, properties)
    if old is not None:
        if old["properties"].get("jobName"):  # clients do not send it, so keep it
            properties.setdefault("jobName", old["properties"]["jobName"])
        if (changed := _changed(old["properties"], properties)) and not old["properties"]["isAnonymous"]:
            raise _conflict(kind, name, version, changed)
        properties["properties"] = {**old["properties"]["properties"], **properties["properties"]}
    return properties


def held(kind: str, name: str, properties: Json, container: Document | None) -> Json:
    """Return the property that a container's versions share: their data type. Raises AzureError 400 for another one."""
    if kind != "data":
        return {}
    kept = container.body["properties"].get("dataType") if container is not None else None
    if kept not in (None, properties["dataType"]):
        raise AzureError(
            400,
            "UserError",
            f"Data asset '{name}' holds versions of type {kept}; a version of type {properties['dataType']} needs "
            "another name.",
        )
    return {"dataType": properties["dataType"]}


def container_body(platform: Platform, container: Document, gone: Iterable[str] = ()) -> Json:
    """Return a container's envelope with its latest and next version. `gone` are versions that were deleted."""
    versions = platform.store.below(container.id, f"{container.type}/versions")
    live = [document for document in versions if not document.body["properties"]["isArchived"]]
    names = [*(document.body["name"] for document in versions), *gone]
    numbers = [int(name) for name in names if name.isdigit()]
    properties = {
        **container.body["properties"],
        "provisioningState": "Succeeded",
        "latestVersion": live[-1].body["name"] if live else None,
        "nextVersion": str(max(numbers, default=0) + 1),
    }
    return {**container.body, "properties": properties}


def _changed(old: Json, new: Json) -> list[str]:
    """Return the names of content properties that differ."""
    before, after = _content(old), _content(new)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _content(properties: Json) -> Json:
    content = {name: value for name, value in properties.items() if name not in _MUTABLE and value not in ({}, [])}
    spec = content.get("componentSpec")
    if isinstance(spec, dict):
        # Keys that start with an underscore or a dollar sign describe how the client read the file.
        ignored = _MUTABLE_IN_SPEC | _SAID_IN_SPEC
        kept = {name: value for name, value in spec.items() if name not in ignored and name[0] not in "_$"}
        content["componentSpec"] = {name: value for name, value in kept.items() if value not in (None, {}, [])}
    parsed: Json = json.loads(json.dumps(content))
    return parsed


def _conflict(kind: str, name: str, version: str, changed: list[str]) -> AzureError:
    if kind not in ("data", "models"):
        # azure-ai-ml expects 409 here. It then gives the next version to an environment without a version.
        what = f"{kind.removesuffix('s').capitalize()} {name} with version {version}"
        return AzureError(
            409, "UserError", f"{what} is already registered and cannot be changed (differs in {', '.join(changed)})."
        )
    noun = kind.removesuffix("s")
    fixed = f"{noun} uri" if URI_PROPERTY[kind] in changed else ", ".join(changed)
    return AzureError(
        400,
        "UserError",
        f"A {noun} version with this name and version already exists. If you are trying to create a new {noun} "
        f"version, use a different name or version. If you are trying to update an existing {noun} version, the "
        f"existing asset's {fixed} cannot be changed. Only tags, description, and isArchived can be updated.",
    )


def check_name(kind: str, name: str) -> None:
    """Raise AzureError 400 for a name that no asset can have."""
    if _NAME.fullmatch(name) is None:
        raise AzureError(
            400,
            "UserError",
            f"The name '{name}' of {kind} is invalid: names are 1-255 letters, digits, '.', '_' and '-' and begin with "
            "a letter or digit.",
        )


def _resolve_uri(platform: Platform, owner_id: str, kind: str, properties: Json) -> None:
    """Replace the URI of a job's output, and the short form of a datastore URI, as the service does.

    The service keeps the long form, with subscription, group and workspace, in place of both. Clients download a
    model from there. It also records the job of a model.
    """
    field, in_workspace = URI_PROPERTY[kind], owner_id.startswith("/")
    if in_workspace and (output := references.job_output(platform, owner_id, properties[field])) is not None:
        job, properties[field] = output
        if kind == "models":
            properties.setdefault("jobName", job)
    uri = references.long_uri(owner_id, properties[field]) if in_workspace else properties[field]
    if not in_workspace and references.is_short(uri):
        raise AzureError(400, "UserError", f"A registry has no datastores: '{uri}' is of a workspace.")
    properties[field] = uri


def _check_code(_platform: Platform, _workspace: Document, _name: str, _version: str, properties: Json) -> None:
    if not properties.get("codeUri"):
        raise AzureError(400, "ValidationError", "properties.codeUri: The codeUri field is required.")


def _check_component(platform: Platform, workspace: Document, name: str, version: str, properties: Json) -> None:
    spec = properties.get("componentSpec")
    if not isinstance(spec, dict) or not spec.get("type"):
        raise AzureError(
            400, "ValidationError", "properties.componentSpec: The componentSpec field, with a type, is required."
        )
    if source := spec.get("sourceJobId"):
        spec = {**spec, **_of_job(platform, workspace, str(source)), "sourceJobId": source}
    parts: list[Any] = [spec, spec.get("task")]
    for part in parts:
        if isinstance(part, dict):
            _check_reference(platform, workspace, "codes", part.get("code"))
            _check_reference(platform, workspace, "environments", part.get("environment"))
    properties["componentSpec"] = {**spec, "name": name, "version": version}


def version_of(kind: str, name: str, version: str, body: Json) -> str:
    """Return the version that an asset gets: its own, but azure-ai-ml gives 1 to each anonymous component of a job."""
    properties = body.get("properties")  # not checked yet
    spec = properties.get("componentSpec") if isinstance(properties, dict) else None
    is_of_job = isinstance(spec, dict) and bool(spec.get("sourceJobId"))
    return str(uuid.uuid4()) if is_of_job and name == ANONYMOUS.get(kind) else version


def _of_job(platform: Platform, workspace: Document, source: str) -> Json:
    """Return the nodes, inputs and outputs of a pipeline job for a component that runs it again."""
    job = platform.store.get(f"{workspace.id}/jobs/{source.removeprefix('azureml:').rpartition('/')[2]}")
    properties = job.body["properties"] if job is not None else {}
    if properties.get("jobType") != "Pipeline" or not properties.get("jobs"):
        raise AzureError(
            400, "UserError", f"sourceJobId: the workspace has no pipeline job '{source}' whose nodes it knows."
        )
    given, written = properties.get("inputs") or {}, properties.get("outputs") or {}
    return {
        "jobs": properties["jobs"],
        "inputs": {
            name: {"type": "string", "default": each.get("value")}
            if each["jobInputType"] == "literal"
            else {"type": each["jobInputType"]}
            for name, each in given.items()
        },
        "outputs": {name: {"type": each["jobOutputType"]} for name, each in written.items() if name != "default"},
    }


def _check_reference(platform: Platform, workspace: Document, kind: str, reference: Any) -> None:
    """Check that a workspace's asset exists. Registry assets and inline definitions are not checked."""
    if not isinstance(reference, str) or reference.startswith(("azureml://registries/", "git+", "https://")):
        return
    try:
        references.asset(platform, workspace.id, reference, kind)
    except AzureError as error:
        raise AzureError(400, "UserError", error.message) from error


def _check_environment(_platform: Platform, _workspace: Document, name: str, version: str, properties: Json) -> None:
    image, build, conda = (properties.get(key) for key in ("image", "build", "condaFile"))
    if bool(image) == bool(build):
        raise AzureError(
            400,
            "UserError",
            f"Environment '{name}:{version}' must have exactly one of image and build"
            + (" (condaFile needs a base image)." if conda and not image else "."),
        )
    if conda:
        try:
            parsed = bodies.read_yaml(conda)
        except ValueError as error:
            raise AzureError(
                400, "UserError", f"The condaFile of environment '{name}' is not valid YAML: {error}"
            ) from error
        if not isinstance(parsed, dict):
            raise AzureError(400, "UserError", f"The condaFile of environment '{name}' must be a mapping.")
    if not properties.get("osType"):
        properties["osType"] = "Linux"
    properties["environmentType"] = "UserCreated"


def _check_model(_platform: Platform, workspace: Document, _name: str, _version: str, properties: Json) -> None:
    if not properties.get("modelUri"):
        raise AzureError(400, "ValidationError", "properties.modelUri: The modelUri field is required.")
    given = [name for name in _TEMPLATES if properties.get(name)]
    if given and workspace.id.startswith("/"):
        raise AzureError(
            400, "ValidationError", f"properties.{given[0]}: only a model of a registry has deployment templates."
        )
    properties.setdefault("modelType", "custom_model")
    properties.setdefault("flavors", {})


_CHECKS: dict[str, Callable[[Platform, Document, str, str, Json], None]] = {
    "codes": _check_code,
    "components": _check_component,
    "environments": _check_environment,
    "models": _check_model,
}
