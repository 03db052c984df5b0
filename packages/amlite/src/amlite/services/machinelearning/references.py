"""Resolution of references in every form that Azure Machine Learning accepts.

Assets: `azureml:name:version`, `azureml:name@latest`, `azureml:name`, the same without `azureml:`, ARM ids,
`azureml://locations/<region>/workspaces/<workspaceId>/<kind>/<name>/versions/<version>`, and in a registry
`azureml://registries/<registry>/<kind>/<name>/versions/<version>` or `…/labels/latest`.
Data: `azureml://datastores/<name>/paths/<path>`, the long form with subscription, group and workspace,
`azureml://jobs/<job>/outputs/<output>/paths/<path>`, `runs:/<job>/<path>`, blob URLs, and any asset that has a path.
"""

from __future__ import annotations

import re

from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.resource_id import ResourceId
from amlite.core.store import Document
from amlite.services.machinelearning import curated
from amlite.services.storage.blobs import BlobPath

PROVIDER = "Microsoft.MachineLearningServices"
WORKSPACE_TYPE = f"{PROVIDER}/workspaces"
COMPUTE_TYPE = f"{WORKSPACE_TYPE}/computes"
RULE_TYPE = f"{WORKSPACE_TYPE}/outboundRules"
REGISTRY_TYPE = f"{PROVIDER}/registries"
KINDS = ("codes", "components", "data", "environments", "models")
URI_PROPERTY = {"codes": "codeUri", "data": "dataUri", "models": "modelUri"}
DEFAULT_VERSION = "azureml_default"

_ASSET_ID = re.compile(r"azureml://locations/[^/]+/workspaces/([^/]+)/(\w+)/([^/]+)/versions/([^/]+)", re.IGNORECASE)
_IN_REGISTRY = re.compile(
    r"(?:azureml:)?azureml://registries/([^/]+)/(\w+)/([^/]+)/(versions|labels)/([^/]+)", re.IGNORECASE
)
_SHORT = re.compile(r"(?:azureml:)?([\w.-]+)(?::([\w.-]+)|@([\w.-]+))?")
_DATASTORE = re.compile(
    r"azureml://(?:subscriptions/([^/]+)/resourcegroups/([^/]+)/(?:providers/Microsoft.MachineLearningServices/)?workspaces/([^/]+)/)?"
    r"datastores/([^/]+)(?:/paths/?(.*))?",
    re.IGNORECASE,
)
_SHORT_URI = re.compile(r"azureml://datastores/([^/]+)/paths/(.*)", re.IGNORECASE)
_JOB_OUTPUT = re.compile(
    r"(?:azureml://(?:[^?]*?/)?jobs/([^/]+)/outputs/([^/]+)(?:/paths)?|runs:/([^/]+))(?:/(.*))?", re.IGNORECASE
)


class ElsewhereError(AzureError):
    """Data that a job may name and this local Azure cannot read: it is on a public server, or in another storage."""

    def __init__(self, reference: str) -> None:
        message = (
            f"'{reference}' is not in blob storage of this local Azure, which reads nothing from the web and serves "
            "nothing else. Copy the data to a datastore of the workspace, or give it in the mode direct to a program "
            "that reads the address itself."
        )
        super().__init__(400, "UserError", message)
        self.reference = reference


def asset(platform: Platform, workspace_id: str, reference: str, kind: str) -> Document:
    """Return the stored asset version for a `reference` to an asset of a workspace or of a registry.

    `kind` is one of KINDS. The document's body is the ARM envelope. Raises AzureError 400 if the reference is not of
    this kind, and 404 if the name and version do not exist. Assets of another workspace do not exist, except without a
    `workspace_id`.
    """
    if is_in_registry(reference):
        return _in_registry(platform, reference, kind)
    if found := _ASSET_ID.fullmatch(reference):
        owner = workspace_by_guid(platform, found[1])
        if found[2].lower() != kind:
            raise _malformed(reference, kind)
        _require_own(workspace_id, owner.id, reference)
        return version(platform, owner.id, kind, found[3], found[4])
    bare = _bare(reference)
    if bare.startswith("/"):
        resource_id = ResourceId.parse(bare)
        if (
            resource_id is None
            or resource_id.type.lower() != f"{WORKSPACE_TYPE}/{kind}/versions".lower()
            or len(resource_id.segments) != 6
        ):
            raise _malformed(reference, kind)
        owner_id = ResourceId(
            resource_id.subscription, resource_id.group, resource_id.namespace, resource_id.segments[:2]
        )
        _require_own(workspace_id, str(owner_id), reference)
        return version(platform, str(owner_id), kind, resource_id.segments[3], resource_id.segments[5])
    short = _SHORT.fullmatch(bare)
    if short is None:
        raise _malformed(reference, kind)
    name, number, label = short.groups()
    _check_label(label, kind, name)
    return version(platform, workspace_id, kind, name, number or DEFAULT_VERSION)


def _require_own(workspace_id: str, owner_id: str, reference: str) -> None:
    """Raise AzureError 404 for an asset of another workspace: its definition is for those who may read it there."""
    if workspace_id and owner_id.lower() != workspace_id.lower():
        raise AzureError(404, "UserError", f"'{reference}' was not found in workspace '{_last(workspace_id)}'.")


def registry_uri(name: str) -> str:
    """Return the prefix of the ids of a registry's assets, which are stored under these ids."""
    return f"azureml://registries/{name}"


def registry(platform: Platform, name: str) -> Document:
    """Return a registry by its name, which is unique in the tenant. Raises AzureError 404 if it does not exist."""
    for document in platform.store.of_type(REGISTRY_TYPE):
        if document.body["name"].lower() == name.lower():
            return document
    raise AzureError(404, "RegistryNotFound", f"The registry '{name}' was not found.")


def version(platform: Platform, owner_id: str, kind: str, name: str, number: str) -> Document:
    """Return one version of an asset of a workspace (its ARM id) or a registry (its `registry_uri`).

    `azureml_default` is the newest version that is not archived. Raises AzureError 404 if the version does not exist.
    """
    base = f"{owner_id}/{kind}/{name}"
    if number.lower() == DEFAULT_VERSION:
        newest = latest(platform, owner_id, kind, name)
        if newest is None and (known := _curated(owner_id, kind, name)):
            newest = latest(platform, registry_uri(curated.REGISTRY), kind, known)
        if newest is None:
            raise unknown(owner_id, kind, name, name)
        return newest
    document = platform.store.get(f"{base}/versions/{number}") or curated.version(platform, base, number)
    if document is None and (known := _curated(owner_id, kind, name)):
        return version(platform, registry_uri(curated.REGISTRY), kind, known, number)
    if document is None or _failed(document):
        raise unknown(owner_id, kind, name, f"{name}:{number}")
    return document


def is_not_here(owner_id: str, kind: str) -> bool:
    """Whether Azure has assets there of which this local Azure knows none: the system registry has all kinds."""
    return owner_id.lower() == registry_uri(curated.REGISTRY).lower() and kind != "environments"


def unknown(owner_id: str, kind: str, name: str, shown: str) -> AzureError:
    """Return the error for an asset that a workspace or registry does not have. `shown` is what was asked for."""
    if is_not_here(owner_id, kind):  # 404 would say that Azure does not have it
        return AzureError(
            400,
            "UserError",
            f"{_title(kind)} '{shown}': of the system registry '{curated.REGISTRY}', this local Azure has environments "
            "only.",
        )
    advice = curated.advice(name) if kind == "environments" and _may_be_curated(owner_id, name) else ""
    return AzureError(404, "UserError", f"{_title(kind)} '{shown}' was not found in {_place(owner_id)}.{advice}")


def _may_be_curated(owner_id: str, name: str) -> bool:
    is_registry = owner_id.lower() == registry_uri(curated.REGISTRY).lower()
    return is_registry or name.lower().startswith(curated.PREFIX.lower())


def container(platform: Platform, owner_id: str, kind: str, name: str) -> Document | None:
    """Return the name of an asset of a workspace, or None. The workspace has the curated environments too."""
    if (found := platform.store.get(f"{owner_id}/{kind}/{name}")) is None and (known := _curated(owner_id, kind, name)):
        found = platform.store.get(f"{registry_uri(curated.REGISTRY)}/{kind}/{known}")
    return found


def _curated(owner_id: str, kind: str, name: str) -> str | None:
    """Return the name in the system registry of an environment that a workspace has as `AzureML-<name>`."""
    return curated.in_registry(name) if owner_id.startswith("/") and kind == "environments" else None


def latest(platform: Platform, owner_id: str, kind: str, name: str) -> Document | None:
    """Return the version that was created last and is not archived, or None."""
    owner_type = WORKSPACE_TYPE if owner_id.startswith("/") else REGISTRY_TYPE
    found = platform.store.below(f"{owner_id}/{kind}/{name}", f"{owner_type}/{kind}/versions")
    live = (doc for doc in reversed(found) if not doc.body["properties"].get("isArchived") and not _failed(doc))
    return next(live, None)


def compute(platform: Platform, workspace_id: str, reference: str) -> Document:
    """Return the compute for `azureml:name`, `name` or an ARM id. Raises AzureError 404 if it does not exist."""
    bare = _bare(reference)
    resource_id = bare if bare.startswith("/") else f"{workspace_id}/computes/{bare}"
    document = platform.store.get(resource_id)
    own = resource_id.lower().startswith(f"{workspace_id}/computes/".lower())  # with another's, a job has its identity
    if document is None or not own or document.type != COMPUTE_TYPE.lower():
        raise AzureError(
            404,
            "ComputeNotFound",
            f"Compute with name '{_last(resource_id)}' was not found in workspace '{_last(workspace_id)}'.",
        )
    return document


def is_serverless(reference: str) -> bool:
    """Whether a reference to a compute means serverless compute. azure-ai-ml may send it as the id of a compute."""
    return _last(_bare(reference)).lower() == "serverless"


def datastore(platform: Platform, workspace_id: str, reference: str) -> Document:
    """Return the datastore for a name, `azureml:name` or an ARM id. Raises AzureError 404 if it does not exist."""
    bare = _bare(reference)
    resource_id = bare if bare.startswith("/") else f"{workspace_id}/datastores/{bare}"
    document = platform.store.get(resource_id)
    if document is None or not document.type.endswith("/datastores"):
        raise AzureError(
            404, "UserError", f"Could not find datastore: {_last(resource_id)} in workspace '{_last(workspace_id)}'."
        )
    return document


def workspace(platform: Platform, resource_id: str) -> Document:
    """Return a workspace by its ARM id. Raises ARM's AzureError 404 if it does not exist."""
    document = platform.store.get(resource_id)
    if document is None or document.type != WORKSPACE_TYPE.lower():
        parsed = ResourceId.parse(resource_id)
        raise AzureError(
            404,
            "ResourceNotFound",
            f"The Resource '{WORKSPACE_TYPE}/{_last(resource_id)}' under resource group "
            f"'{parsed.group if parsed else ''}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return document


def workspace_by_guid(platform: Platform, guid: str) -> Document:
    """Return the workspace with `guid` as its `workspaceId` or name. Raises AzureError 404 if it does not exist."""
    for document in platform.store.of_type(WORKSPACE_TYPE):
        if guid.lower() in (document.body["properties"]["workspaceId"].lower(), document.body["name"].lower()):
            return document
    raise AzureError(404, "WorkspaceNotFound", f"No workspace has the id '{guid}'.")


def is_in_registry(reference: str) -> bool:
    """Return whether a reference is to an asset of a registry."""
    return reference.lower().startswith(("azureml://registries/", "azureml:azureml://registries/"))


def is_data(reference: str) -> bool:
    """Return whether `location` can resolve a reference without looking up an asset of a kind."""
    return (
        _DATASTORE.fullmatch(reference) is not None
        or _JOB_OUTPUT.fullmatch(reference) is not None
        or BlobPath.parse(reference) is not None
    )


def is_elsewhere(reference: str) -> bool:
    """Whether a reference that `is_data` does not accept is a URL all the same, and names no asset."""
    return reference.lower().startswith(("http://", "https://", "wasb", "abfs", "adl:"))


def is_short(uri: str) -> bool:
    """Whether a URI names a datastore without its workspace."""
    return _SHORT_URI.fullmatch(uri) is not None


def long_uri(workspace_id: str, uri: str) -> str:
    """Return the short form of a datastore URI with subscription, group and workspace. Others stay as they are."""
    found = _SHORT_URI.fullmatch(uri)
    if found is None:
        return uri
    _, _, subscription, _, group, *_, name = workspace_id.split("/")
    owner = f"subscriptions/{subscription}/resourcegroups/{group}/workspaces/{name}"
    return f"azureml://{owner}/datastores/{found[1]}/paths/{found[2]}"


def job_output(platform: Platform, workspace_id: str, reference: str) -> tuple[str, str] | None:
    """Return the job and the data URI of a reference to a job's output. Return None for any other reference.

    Raises AzureError 404 if the job of a named output does not exist.
    """
    found = _JOB_OUTPUT.fullmatch(reference)
    if found is None:
        return None
    job, output, path = found[1] or found[3], found[2] or "artifacts", (found[4] or "").strip("/")
    if output.lower() in ("artifacts", "default"):
        uri = f"azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{job}"
    else:
        document = platform.store.get(f"{workspace_id}/jobs/{job}")
        if document is None:
            raise AzureError(404, "UserError", f"Job '{job}' was not found in workspace '{_last(workspace_id)}'.")
        declared = (document.body["properties"].get("outputs") or {}).get(output) or {}
        uri = declared.get("uri") or f"azureml://datastores/workspaceblobstore/paths/azureml/{job}/{output}"
    return job, "/".join(part for part in (uri.rstrip("/"), path) if part)


def location(platform: Platform, workspace_id: str, reference: str, kind: str = "data") -> BlobPath:
    """Return the blob or folder of a data URI, a job's output or an asset (of `kind`).

    A trailing slash is removed, because only the blobs show whether it is a file or a folder. Raises AzureError 400 for
    an unknown form of URI or a datastore without blobs, and 404 if the reference does not exist. Raises ElsewhereError
    for data that is not in blob storage.
    """
    if found := _DATASTORE.fullmatch(reference):
        subscription, group, name, store, path = found.groups()
        owner = workspace_id
        if subscription:
            owner = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{WORKSPACE_TYPE}/{name}"
        return _in_datastore(datastore(platform, owner, store), path or "")
    if (output := job_output(platform, workspace_id, reference)) is not None:
        return location(platform, workspace_id, output[1], kind)
    if blob := BlobPath.parse(reference):
        return BlobPath(blob.account, blob.container, blob.path.rstrip("/"))
    if is_elsewhere(reference):
        raise ElsewhereError(reference)
    found_asset = asset(platform, workspace_id, reference, kind)
    return location(platform, _owner(found_asset.id), found_asset.body["properties"][URI_PROPERTY[kind]], kind)


def _in_datastore(document: Document, path: str) -> BlobPath:
    properties = document.body["properties"]
    container = properties.get("containerName") or properties.get("filesystem")
    if not container:
        raise AzureError(
            400,
            "UserError",
            f"Datastore '{document.body['name']}' of type {properties['datastoreType']} holds no blobs.",
        )
    return BlobPath(properties["accountName"].lower(), container, path.strip("/"))


def _in_registry(platform: Platform, reference: str, kind: str) -> Document:
    found = _IN_REGISTRY.fullmatch(reference)
    if found is None or found[2].lower() != kind:
        raise AzureError(
            400,
            "UserError",
            f"'{reference}' is not a valid reference to {kind}; use "
            f"azureml://registries/<registry>/{kind}/<name>/versions/<version> or …/labels/latest.",
        )
    owner = registry_uri(registry(platform, found[1]).body["name"])
    if found[4].lower() == "versions":
        return version(platform, owner, kind, found[3], found[5])
    _check_label(found[5], kind, found[3])
    return version(platform, owner, kind, found[3], DEFAULT_VERSION)


def _failed(document: Document) -> bool:
    """Return whether a version's creation failed. Such a version does not exist and can be created again."""
    return bool(document.body["properties"].get("provisioningState") == "Failed")


def _check_label(label: str | None, kind: str, name: str) -> None:
    if label and label.lower() not in ("latest", "default"):
        raise AzureError(404, "UserError", f"Label '{label}' of {kind} '{name}' was not found. Azure ML has 'latest'.")


def _place(owner_id: str) -> str:
    return f"{'workspace' if owner_id.startswith('/') else 'registry'} '{_last(owner_id)}'"


def _malformed(reference: str, kind: str) -> AzureError:
    return AzureError(
        400,
        "UserError",
        f"'{reference}' is not a valid reference to {kind}; use azureml:<name>:<version> or an ARM id.",
    )


def _bare(reference: str) -> str:
    return reference.removeprefix("azureml:")


def _owner(asset_id: str) -> str:
    """Return the id of the workspace (or registry) of an asset version."""
    return asset_id.rsplit("/", 4)[0]


def _last(resource_id: str) -> str:
    return resource_id.rstrip("/").rpartition("/")[2]


def _title(kind: str) -> str:
    titles = {"data": "Data asset", "deploymenttemplates": "Deployment template"}
    return titles.get(kind, kind.removesuffix("s").capitalize())
