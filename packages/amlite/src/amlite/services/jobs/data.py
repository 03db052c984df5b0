"""The inputs and outputs of jobs: inputs are downloaded once and cached, outputs are uploaded to their datastore.

A job reads and writes as the identity of its compute, as it does in Azure ML. An access that this identity's roles
do not allow fails the job, unless the datastore stores a key of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from amlite.core import contained
from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.jobs import documents, graph, plan, reuse
from amlite.services.jobs.documents import Job
from amlite.services.machinelearning import datastores, references, versions
from amlite.services.managedidentity import identities
from amlite.services.registries import access as registry_access
from amlite.services.storage import accounts, blobs
from amlite.services.storage.blobs import BlobPath

# A parallel job stores its batches, and which worker has which, in the workspace's storage account.
_PROGRESS = {
    "table": "Microsoft.Storage/storageAccounts/tableServices/tables/entities/write",
    "queue": "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
}
ARTIFACTS = "artifacts"
_ROLES = {"read": "Storage Blob Data Reader", "write": "Storage Blob Data Contributor"}


class DataAccessError(Exception):
    """A job's data cannot be read or written. The message names the data, the identity and the fix."""


@dataclass
class _Fetching:
    """Locks: only one task at a time downloads into a folder."""

    locks: dict[Path, asyncio.Lock] = field(default_factory=dict)


def identity(platform: Platform, job: Job) -> Principal | None:
    """Return the principal with which a job accesses data. Return None on serverless compute without a submitter.

    That is the compute's managed identity, or the submitter for `UserIdentity`. On serverless compute, it is the
    submitter, or a user-assigned identity of the workspace for `Managed`. Sources: "Ensuring resource access for Spark
    jobs" and "Model training on serverless compute".
    """
    given = graph.in_models(job.properties.get("identity"))
    wanted = str(given.get("identityType") or "").lower()
    compute_id = job.properties.get("computeId")
    if wanted == "useridentity" or (compute_id is None and wanted != "managed"):
        return job.submitter
    if compute_id is None:
        assigned = references.workspace(platform, job.workspace_id).body.get("identity") or {}
        if not assigned.get("userAssignedIdentities"):
            raise DataAccessError(
                "A job with a managed identity on serverless compute uses a user-assigned identity of the workspace, "
                "and the workspace has none. Attach one to it, or use the user's identity."
            )
    else:
        assigned = references.compute(platform, job.workspace_id, compute_id).body.get("identity") or {}
    if users := assigned.get("userAssignedIdentities"):
        asked = {str(given.get(name) or "").lower() for name in ("clientId", "objectId", "resourceId")}
        principals = {id: identities.principal_of(platform, id) for id in users}
        return next(
            (found for id, found in principals.items()
             if asked & {id.lower(), found.client_id.lower(), found.object_id.lower()}),
            next(iter(principals.values())),
        )  # fmt: skip
    if object_id := assigned.get("principalId"):
        return Principal(object_id, str(assigned.get("clientId") or object_id))
    return None


async def require(platform: Platform, workspace_id: str, target: BlobPath, who: Principal | None, verb: str) -> None:
    """Raise DataAccessError unless `who`, or the credential of a datastore, may `read` or `write` there."""
    if (registry := registry_access.owner_of(platform, target.account)) is not None:
        _require_registry(platform, workspace_id, registry, who)
        return
    if await datastores.has_key(platform, workspace_id, target, verb):
        return
    try:
        who = datastores.service_principal(platform, workspace_id, target) or who
    except AzureError as error:
        raise DataAccessError(f"A datastore cannot sign in at {target.url}: {error.message}") from error
    if who is not None and accounts.may(platform, who, target.account, target.container, verb):
        return
    keys = accounts.keys_of(platform, target.account)
    if keys is None:
        raise DataAccessError(references.ElsewhereError(target.url).message)
    if verb == "read" and accounts.public_access_allowed(platform, keys["id"]) and await _is_public(platform, target):
        return
    subject = f"The identity with client id '{who.client_id}'" if who else "The compute has no identity, and so"
    raise DataAccessError(
        f"PermissionDenied (AuthorizationPermissionMismatch): {subject} may not {verb} {target.url}. Give it the role "
        f"{_ROLES[verb]} on the storage account '{target.account}'."
    )


async def _is_public(platform: Platform, target: BlobPath) -> bool:
    """Whether anybody may read what is in a container: "accessing public data" needs no identity."""
    with contextlib.suppress(AzureError):
        return bool(await blobs.public_access(platform, target.account, target.container))
    return False


def require_progress(platform: Platform, job: Job, who: Principal | None) -> None:
    """Raise DataAccessError unless a parallel job may keep its progress: by the account's key, or by roles.

    Sources: "Disable shared key access for your workspace's storage account" for the roles, and
    MicrosoftDocs/azure-docs#102446 for the error.
    """
    account = references.workspace(platform, job.workspace_id).body["properties"]["storageAccount"]
    if accounts.shared_key_allowed(platform, account):
        return
    for store, action in _PROGRESS.items():
        if who is None or not platform.access.allowed(who, account, action, data=True):
            name = f"prs{job.name.replace('-', '').replace('_', '')}job"
            raise DataAccessError(
                f"The master role failed. [AccessError(\"Failed to create {store} '{name}' due to authorization "
                "failure. If your workspace locates inside a private network, make sure to configure private endpoints "
                "for the storage account with 'table' and 'queue' subresources. Refer to "
                'https://aka.ms/prs-private-endpoint-tip for details.")]'
            )


def _require_registry(platform: Platform, workspace_id: str, registry: Document, who: Principal | None) -> None:
    """Require a role on the registry to read its files: a role of `who`, or else of the workspace."""
    reader = who or registry_access.workspace_identity(platform, workspace_id)
    if not registry_access.may_read(platform, registry, reader):
        subject = f"The identity with client id '{reader.client_id}'" if reader else "The workspace has no identity and"
        raise DataAccessError(
            f"PermissionDenied: {subject} may not read the assets of registry '{registry.body['name']}'. Give it the "
            f"role {registry_access.ROLE} on the registry."
        )


async def fetch(platform: Platform, job: Job, given: Json, who: Principal | None) -> Path:
    """Download a data input and return its file or folder, which is read-only.

    Asset versions and job outputs are downloaded once and cached in `state/cache`.
    Raises DataAccessError.
    """
    uri, kind = str(given["uri"]), str(given["jobInputType"])
    try:
        source = references.location(platform, job.workspace_id, uri, "models" if "model" in kind else "data")
        await require(platform, job.workspace_id, source, who, "read")
        folder = await kept(platform, source) if _fixed(uri) else None
        if folder is None:
            folder = job.folder(platform) / "inputs" / hashlib.sha256(uri.encode()).hexdigest()[:16]
            await blobs.download_tree(platform, source, folder)
    except AzureError as error:
        raise DataAccessError(f"{error.code}: {error.message}") from error
    single = folder / source.name
    return single if kind == "uri_file" and single.is_file() else folder


async def kept(platform: Platform, source: BlobPath) -> Path:
    """Return a folder with the files at or below `source`, which are downloaded once, and again if they change.

    Another workspace, or a version of the same name, may put other files where some were. Raises AzureError.
    """
    found = [(entry.name, entry.etag) for entry in await blobs.entries(platform, source)]
    key = hashlib.sha256(f"{source.url} {found}".encode()).hexdigest()[:32]
    folder = platform.state / "cache" / "data" / key
    async with platform.part(_Fetching).locks.setdefault(folder, asyncio.Lock()):
        if folder.is_dir():
            return folder
        beside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}")
        try:
            for path in await blobs.download_tree(platform, source, beside):
                path.chmod(0o444)
            beside.rename(folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)
    return folder


async def copy_code(platform: Platform, job: Job, who: Principal | None, target: Path) -> None:
    """Copy a job's code into its working folder; raises DataAccessError."""
    code_id = job.properties.get("codeId")
    if not code_id:
        return
    try:
        source = references.location(platform, job.workspace_id, code_id, "codes")
        await require(platform, job.workspace_id, source, who, "read")
        folder = await kept(platform, source)
    except AzureError as error:
        raise DataAccessError(f"the code snapshot: {error.code}: {error.message}") from error
    await asyncio.to_thread(contained.copy, folder, target, folder)


def output_path(platform: Platform, job: Job, output: str) -> Path:
    """Return the local path of a job's output: a folder, or for a file a file in one. Raises AzureError."""
    plan.check_name(output)
    folder = job.folder(platform) / "outputs" / output
    declared = job.properties["outputs"].get(output) or {}
    return folder / output if declared.get("jobOutputType") in graph.FILE_TYPES else folder


def is_mounted(job: Job, output: str) -> bool:
    """Return whether files of an output are in its datastore when the job fails: a mount writes them at once."""
    return graph.mode(job.properties["outputs"][output]) in ("", "ReadWriteMount")


def as_given(job: Job, output: str, path: Path) -> Path | str:
    """Return what a job is given for an output: its path, or in the mode `direct` of a command its URI."""
    declared = job.properties["outputs"][output]
    if graph.mode(declared) != "Direct" or job.properties["jobType"] != "Command":
        return path
    return references.long_uri(job.workspace_id, declared["uri"])


def direct_uri(platform: Platform, job: Job, given: Json) -> str:
    """Return the URI that a job is given for an input in the mode `direct`. Raises AzureError.

    Source: "Access data in a job", which gives the URI of a data asset, not its id.
    """
    if "step" in given:
        uri = _uri_of(documents.get(platform, job.workspace_id, given["step"]), given["output"])
    else:
        uri = str(given["uri"])
        kind = "models" if "model" in given["jobInputType"] else "data"
        if not references.is_data(uri) and not references.is_elsewhere(uri):
            found = references.asset(platform, job.workspace_id, uri, kind)
            uri = str(found.body["properties"][references.URI_PROPERTY[kind]])
    return references.long_uri(job.workspace_id, uri)


async def upload(platform: Platform, job: Job, output: str) -> None:
    """Upload an output to its datastore, if the job wrote one. Raises AzureError."""
    source = output_path(platform, job, output)
    if source.exists():
        target = references.location(platform, job.workspace_id, job.properties["outputs"][output]["uri"])
        await blobs.upload_tree(platform, source, target, within=job.folder(platform))


def register(platform: Platform, job: Job, output: str) -> None:
    """Register an output with an asset name as a version. AzureError if it exists with different content."""
    declared = job.properties["outputs"][output]
    if not declared.get("assetName"):
        return
    kind = str(declared["jobOutputType"])
    if "model" in kind:
        properties = {"modelUri": declared["uri"], "modelType": kind, "jobName": job.name}
    else:
        properties = {"dataUri": declared["uri"], "dataType": kind}
    versions.create(
        platform,
        job.workspace_id,
        "models" if "model" in kind else "data",
        declared["assetName"],
        properties,
        version=declared.get("assetVersion"),
        principal=job.submitter,
    )


async def from_step(platform: Platform, job: Job, given: Json, who: Principal | None) -> Path:
    """Return the output of an earlier step: its local copy, or the datastore's if that does not exist.

    The output `artifacts`, if the step wrote nothing to it, has what Azure ML keeps with the step: its `./outputs` and
    its logs.
    """
    found = documents.get(platform, job.workspace_id, given["step"])
    local = output_path(platform, found, given["output"])
    if given["output"] == ARTIFACTS and not (local.is_dir() and any(local.iterdir())):
        uri = f"azureml://jobs/{reuse.source(found)}/outputs/{ARTIFACTS}"
        return await fetch(platform, job, {"uri": uri, "jobInputType": given["jobInputType"]}, who)
    if contained.is_inside(local, found.folder(platform)):
        await require(
            platform,
            job.workspace_id,
            references.location(platform, job.workspace_id, _uri_of(found, given["output"])),
            who,
            "read",
        )
        return local
    uri = _uri_of(found, given["output"])
    return await fetch(platform, job, {"uri": uri, "jobInputType": given["jobInputType"]}, who)


def _uri_of(job: Job, output: str) -> str:
    """Return where an output of a step lies. A pipeline has none from a node that its condition left out."""
    uri = job.properties["outputs"][output].get("uri")
    if uri is None:
        step = f"step '{job.properties['displayName']}' (job {job.name})"
        raise DataAccessError(f"The {step} has nothing in its output '{output}': the node that writes it did not run.")
    return str(uri)


def own_copy(shared: Path, folder: Path, name: str) -> Path:
    """Return a copy of an input for a job with a folder, unless it is the job's own.

    Raises AzureError for links out of the input, which another job may have made.
    """
    if shared.is_relative_to(folder):
        return shared
    target = folder / "inputs" / f"own-{name}"
    if shared.is_dir():
        contained.copy(shared, target, shared)
        return target
    contained.copy(shared, target / shared.name, shared.parent)
    return target / shared.name


def _fixed(uri: str) -> bool:
    return not references.is_data(uri)
