from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.core.access import ASSIGNMENT_TYPE, Principal, role_id
from amlite.core.platform import Platform
from amlite.services.jobs import data, documents
from amlite.services.jobs.data import DataAccessError
from amlite.services.jobs.documents import PRIVATE, Job
from amlite.services.machinelearning import datastores, references
from amlite.services.storage import signatures
from amlite.services.storage.blobs import BlobPath
from amlite.services.storage.types import KEYS_TYPE

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/g/providers"
WORKSPACE = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/w"
ACCOUNT = f"{GROUP}/Microsoft.Storage/storageAccounts/acct"
TARGET = BlobPath("acct", "lake", "in.txt")
READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
COMPUTE = Principal("compute", "compute")
Store = Callable[..., None]


@pytest.fixture
def store(platform: Platform) -> Store:
    """Return a function that gives the workspace a data lake's datastore with credentials."""
    platform.store.put(f"{KEYS_TYPE}/acct", KEYS_TYPE, {"account": "acct", "id": ACCOUNT})

    def make(kind: str, filesystem: str = "lake", secrets: dict[str, Any] | None = None) -> None:
        path = f"{WORKSPACE}/datastores/{kind}"
        credentials = {"credentialsType": kind, "clientId": "app"}
        properties = {"accountName": "acct", "filesystem": filesystem, "credentials": credentials}
        platform.store.put(path, datastores.TYPE, {"id": path, "name": kind, "properties": properties})
        if secrets:
            platform.store.put(f"{path}/secrets", "secrets", secrets)

    return make


def assign(platform: Platform, principal: str, role: str = READER) -> None:
    body = {"principalId": principal, "scope": ACCOUNT, "roleDefinitionId": f"x/{role}"}
    platform.store.put(f"{ACCOUNT}/assignments/{principal}-{role}", ASSIGNMENT_TYPE, {"properties": body})


async def test_a_lake_without_credentials_is_read_as_the_compute(platform: Platform, store: Store) -> None:
    store("None")
    with pytest.raises(DataAccessError, match="client id 'compute' may not read"):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    assign(platform, "compute")
    await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    with pytest.raises(DataAccessError, match="Storage Blob Data Contributor"):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "write")


async def test_a_signature_is_for_its_own_file_system(
    platform: Platform, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def opens(_platform: Platform, _target: BlobPath, token: str, verb: str) -> bool:
        return (token, verb) == ("good", "read")

    monkeypatch.setattr(signatures, "opens", opens)
    store("Sas", filesystem="other", secrets={"sasToken": "good"})
    with pytest.raises(DataAccessError):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    store("Sas", secrets={"sasToken": "wrong"})
    with pytest.raises(DataAccessError):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    store("Sas", secrets={"sasToken": "good"})
    await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    with pytest.raises(DataAccessError):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "write")


@pytest.mark.attack
async def test_a_key_opens_its_account_and_a_certificate_nothing(platform: Platform, store: Store) -> None:
    keys = {"account": "acct", "id": ACCOUNT, "key1": "one", "key2": "two"}
    platform.store.put(f"{KEYS_TYPE}/acct", KEYS_TYPE, keys)
    store("Certificate", secrets={"certificate": "c"})
    store("AccountKey", secrets={"key": "guessed"})
    with pytest.raises(DataAccessError):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    store("AccountKey", secrets={"key": "two"})
    await data.require(platform, WORKSPACE, TARGET, COMPUTE, "write")


async def test_an_application_reads_by_its_own_roles_and_secret(platform: Platform, store: Store) -> None:
    application = {"clientId": "app", "objectId": "app-object", "secret": "right"}
    platform.store.put("entra/applications/app", "entra/applications", application)
    assign(platform, "compute")
    store("ServicePrincipal", secrets={"clientSecret": "wrong"})
    with pytest.raises(DataAccessError, match="Invalid client secret"):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    store("ServicePrincipal", secrets={"clientSecret": "right"})
    with pytest.raises(DataAccessError, match="client id 'app' may not read"):
        await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")
    assign(platform, "app-object")
    await data.require(platform, WORKSPACE, TARGET, COMPUTE, "read")


@pytest.mark.parametrize("keys", [True, False])
def test_a_parallel_job_needs_tables_and_queues_where_storage_has_no_keys(platform: Platform, keys: bool) -> None:
    """Sources: how-to-disable-local-auth-storage; the error is that of MicrosoftDocs/azure-docs#102446."""
    job = Job(f"{WORKSPACE}/jobs/one-job", {"name": "one-job"})
    workspace = {"id": WORKSPACE, "properties": {"storageAccount": ACCOUNT}}
    platform.store.put(WORKSPACE, references.WORKSPACE_TYPE, workspace)
    platform.store.put(ACCOUNT, "Microsoft.Storage/storageAccounts", {"properties": {"allowSharedKeyAccess": keys}})
    if keys:
        data.require_progress(platform, job, None)
        return
    for store, role in (("table", "Storage Table Data Contributor"), ("queue", "Storage Queue Data Contributor")):
        with pytest.raises(DataAccessError) as refused:
            data.require_progress(platform, job, COMPUTE)
        assert f"Failed to create {store} 'prsonejobjob' due to authorization failure." in str(refused.value)
        assign(platform, COMPUTE.object_id, role_id(role))
    data.require_progress(platform, job, COMPUTE)
    with pytest.raises(DataAccessError):
        data.require_progress(platform, job, None)


IDENTITY = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/of-workspace"
SUBMITTER = Principal("user", "user")


def serverless(**identity: str) -> Job:
    path = f"{WORKSPACE}/jobs/spark"
    private = {"submitter": {"objectId": "user", "clientId": "user"}}
    properties = {"jobType": "Spark", "computeId": None, "identity": identity}
    return Job(path, {"id": path, "name": "spark", "properties": properties, PRIVATE: private})


@pytest.mark.parametrize("spelling", ["identityType", "identity_type"])
def test_a_job_on_serverless_compute_acts_as_its_user_or_as_the_workspaces_identity(
    platform: Platform, spelling: str
) -> None:
    """Source: "Ensuring resource access for Spark jobs". A node of a pipeline has its identity in snake case."""
    workspace: dict[str, Any] = {"id": WORKSPACE, "name": "w", "properties": {}}
    platform.store.put(WORKSPACE, references.WORKSPACE_TYPE, workspace)
    assert data.identity(platform, serverless()) == SUBMITTER
    assert data.identity(platform, serverless(**{spelling: "UserIdentity"})) == SUBMITTER
    with pytest.raises(DataAccessError, match="user-assigned identity of the workspace"):
        data.identity(platform, serverless(**{spelling: "Managed"}))
    known = {"principalId": "managed", "clientId": "managed-client"}
    platform.store.put(IDENTITY, "Microsoft.ManagedIdentity/userAssignedIdentities", {"properties": known})
    workspace["identity"] = {"userAssignedIdentities": {IDENTITY: known}}
    platform.store.put(WORKSPACE, references.WORKSPACE_TYPE, workspace)
    assert data.identity(platform, serverless(**{spelling: "Managed"})) == Principal("managed", "managed-client")


def test_a_copy_of_an_input_can_be_changed_without_an_effect_on_other_jobs(tmp_path: Path) -> None:
    shared, mine = tmp_path / "cache" / "table", tmp_path / "job"
    shared.mkdir(parents=True)
    (shared / "rows.csv").write_text("1,2")
    (shared / "rows.csv").chmod(0o444)
    folder, file = data.own_copy(shared, mine, "folder"), data.own_copy(shared / "rows.csv", mine, "file")
    for each in (folder / "rows.csv", file):
        assert each.is_relative_to(mine)
        assert each.read_text() == "1,2"
        each.write_text("changed")
    assert (shared / "rows.csv").read_text() == "1,2"
    assert data.own_copy(folder, mine, "folder") == folder


async def test_output_artifacts_of_a_step_has_what_is_kept_with_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """azureml-examples, cli/jobs/basics/hello-pipeline-default-artifacts.yml."""
    wanted: list[str] = []

    async def fetch(_: Platform, __: Job, given: dict[str, Any], ___: Principal | None) -> Path:
        wanted.append(given["uri"])
        return tmp_path

    monkeypatch.setattr(data, "fetch", fetch)
    outputs = {"artifacts": {"jobOutputType": "uri_folder", "uri": "azureml://datastores/d/paths/x"}}
    step = {"name": "step", "properties": {"outputs": outputs, "status": "Completed"}, PRIVATE: {}}
    platform.store.put(f"{WORKSPACE}/jobs/step", "jobs", step)
    next_step = Job(f"{WORKSPACE}/jobs/next", {"name": "next", "properties": {}, PRIVATE: {}})
    given = {"step": "step", "output": "artifacts", "jobInputType": "uri_folder"}
    assert await data.from_step(platform, next_step, given, None) == tmp_path
    assert wanted == ["azureml://jobs/step/outputs/artifacts"]


@pytest.mark.attack
def test_jobs_of_two_workspaces_with_one_name_share_no_folder(platform: Platform) -> None:
    other = WORKSPACE.replace("resourceGroups/g/", "resourceGroups/other/")
    folders = {documents.folder(platform, each, "job") for each in (WORKSPACE, other)}
    assert len(folders) == 2
