"""Data lakes: datastores on them, and azure-ai-ml and azure-storage-file-datalake reading and writing them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import ARM
from amlite_fixtures.jobs import CLUSTER, equip, history, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.storage.filedatalake import FileSystemClient


Json = dict[str, Any]


@pytest.fixture(scope="module")
def lake_workspace(amlite: LocalAzure) -> Workspace:
    return equip(Workspace.create(amlite, "lake"))


@pytest.fixture(scope="module")
def client(lake_workspace: Workspace) -> MLClient:
    return lake_workspace.client()


@pytest.fixture(scope="module")
def key(lake_workspace: Workspace) -> str:
    account = f"{lake_workspace.id.split('/providers/')[0]}/providers/Microsoft.Storage/storageAccounts"
    path = f"{account}/{lake_workspace.account}/listKeys"
    return str(lake_workspace.azure.arm("POST", path, {}, "2024-01-01").json()["keys"][0]["value"])


@pytest.fixture
def files(lake_workspace: Workspace, key: str) -> Iterator[FileSystemClient]:
    """Return a new file system, opened by the account's key."""
    from azure.storage.filedatalake import DataLakeServiceClient

    address = f"https://{lake_workspace.account}.dfs.core.windows.net"
    with DataLakeServiceClient(address, credential=key) as service:
        yield service.create_file_system(f"files-{uuid.uuid4().hex[:8]}")


def test_files_are_written_read_listed_and_deleted(files: FileSystemClient) -> None:
    folder = files.create_directory("a/b")
    file = folder.create_file("c.txt", metadata={"colour": "red"})
    file.append_data(b"one ", 0, 4)
    file.append_data(b"two", 4, 3)
    file.flush_data(7)
    assert file.download_file().readall() == b"one two"
    file.append_data(b" three", 7, 6)
    file.flush_data(13)
    assert file.download_file(offset=4, length=3).readall() == b"two"
    properties = file.get_file_properties()
    assert (properties.size, properties.metadata) == (13, {"colour": "red"})
    files.get_file_client("top.txt").upload_data(b"x", overwrite=True)
    listed = {path.name: path.is_directory for path in files.get_paths()}
    assert listed == {"a": True, "a/b": True, "a/b/c.txt": False, "top.txt": False}
    assert [path.name for path in files.get_paths(recursive=False)] == ["a", "top.txt"]
    assert [path.name for path in files.get_paths("a", recursive=False)] == ["a/b"]
    assert folder.exists()
    assert folder.get_directory_properties().metadata["hdi_isfolder"] == "true"
    with pytest.raises(HttpResponseError) as refused:
        file.flush_data(99)
    assert "InvalidFlushPosition" in str(refused.value)
    files.delete_directory("a")
    assert [path.name for path in files.get_paths()] == ["top.txt"]
    with pytest.raises(ResourceNotFoundError):
        list(files.get_paths("a"))
    with pytest.raises(ResourceExistsError):
        files.get_file_client("top.txt").upload_data(b"y")


def test_what_a_blob_client_wrote_can_be_appended_to(files: FileSystemClient, key: str) -> None:
    from azure.storage.blob import BlobClient

    address = f"https://{files.account_name}.blob.core.windows.net"
    with BlobClient(address, files.file_system_name, "deep/whole.txt", credential=key) as blob:
        blob.upload_blob(b"whole")
    file = files.get_file_client("deep/whole.txt")
    file.append_data(b" and more", 5, 9)
    file.flush_data(14)
    assert file.download_file().readall() == b"whole and more"
    assert [(path.name, path.is_directory) for path in files.get_paths()] == [("deep", True), ("deep/whole.txt", False)]


def test_a_lake_is_opened_by_key_signature_or_role(
    files: FileSystemClient, lake_workspace: Workspace, key: str
) -> None:
    from azure.storage.filedatalake import DataLakeServiceClient, FileSystemSasPermissions, generate_file_system_sas

    address, name = f"https://{lake_workspace.account}.dfs.core.windows.net", files.file_system_name
    files.get_file_client("f").upload_data(b"1", overwrite=True)
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    reading = generate_file_system_sas(
        lake_workspace.account, name, key, FileSystemSasPermissions(read=True, list=True), ends
    )
    azure = lake_workspace.azure
    account = f"{lake_workspace.id.split('/providers/')[0]}/providers/Microsoft.Storage/storageAccounts"
    reader = azure.application(("Storage Blob Data Reader", f"{account}/{lake_workspace.account}"))
    for credential in (reading, reader):
        with DataLakeServiceClient(address, credential=credential) as service:
            opened = service.get_file_system_client(name)
            assert [path.name for path in opened.get_paths()] == ["f"]
            assert opened.get_file_client("f").download_file().readall() == b"1"
            with pytest.raises(HttpResponseError) as refused:
                opened.get_file_client("g").upload_data(b"2", overwrite=True)
            assert refused.value.status_code == 403
    wrong = key[:-4] + "AAA="
    for credential, code in ((wrong, "AuthenticationFailed"), (azure.application(), "AuthorizationPermissionMismatch")):
        with (
            DataLakeServiceClient(address, credential=credential) as service,
            pytest.raises(HttpResponseError) as refused,
        ):
            list(service.get_file_system_client(name).get_paths())
        assert refused.value.status_code == 403
        assert code in str(refused.value)


@pytest.fixture(params=["key", "identity"])
def store(request: pytest.FixtureRequest, client: MLClient, lake_workspace: Workspace, key: str) -> str:
    """Return the name of a datastore on a data lake, that signs in by key or by the caller's identity."""
    import jwt
    from azure.ai.ml.entities import AccountKeyConfiguration, AzureDataLakeGen2Datastore

    if request.param == "identity":
        azure, account = lake_workspace.azure, lake_workspace.account
        claims = jwt.decode(azure.credential.get_token(f"{ARM}/.default").token, options={"verify_signature": False})
        scope = f"{lake_workspace.id.split('/providers/')[0]}/providers/Microsoft.Storage/storageAccounts/{account}"
        azure.assign("Storage Blob Data Contributor", scope, claims["oid"])
    credentials: Any = AccountKeyConfiguration(account_key=key) if request.param == "key" else None
    made = AzureDataLakeGen2Datastore(
        name=f"lake_{request.param}",
        account_name=lake_workspace.account,
        filesystem=f"lake-{request.param}",
        credentials=credentials,
    )
    return str(client.datastores.create_or_update(made).name)


def test_data_in_a_lake_is_uploaded_used_and_written(client: MLClient, store: str, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, command
    from azure.ai.ml.entities import Data

    source = tmp_path / "numbers"
    (source / "deep").mkdir(parents=True)
    (source / "one.txt").write_text("1\n")
    (source / "deep" / "two.txt").write_text("2\n")
    asset = Data(name=f"numbers-{store}", path=str(source), type="uri_folder", datastore=f"azureml:{store}")
    made = client.data.create_or_update(asset)
    assert f"/datastores/{store}/paths/LocalUpload/" in made.path
    again = Data(name=f"again-{store}", path=str(source), type="uri_folder", datastore=f"azureml:{store}")
    assert client.data.create_or_update(again).path == made.path
    job = command(
        command="cd ${{inputs.n}} && (cat one.txt deep/two.txt; ls) > ${{outputs.o}}/all",
        inputs={"n": Input(type="uri_folder", path=f"azureml:{made.name}:{made.version}")},
        outputs={"o": Output(type="uri_folder", path=f"azureml://datastores/{store}/paths/out/${{{{name}}}}/")},
        environment="plain:1",
        compute=CLUSTER,
    )
    name = client.jobs.create_or_update(job).name
    assert until(client, name).status == "Completed", history(client, name).error
    client.jobs.download(name, download_path=str(tmp_path), output_name="o")
    assert (tmp_path / "named-outputs/o/all").read_text("utf-8") == "1\n2\ndeep\none.txt\n"


def test_credentials_of_a_datastore_are_kept_apart(client: MLClient, lake_workspace: Workspace) -> None:
    from azure.ai.ml.entities import AzureDataLakeGen2Datastore, SasTokenConfiguration, ServicePrincipalConfiguration

    tenant = "10ca1000-0000-4000-8000-616d6c697465"
    kinds: list[tuple[Any, str]] = [
        (ServicePrincipalConfiguration(tenant_id=tenant, client_id=str(uuid.uuid4()), client_secret="hush"), "hush"),
        (SasTokenConfiguration(sas_token="sv=1&sig=hush"), "sv=1&sig=hush"),
    ]
    for credentials, secret in kinds:
        made = AzureDataLakeGen2Datastore(
            name="kept", account_name=lake_workspace.account, filesystem="kept", credentials=credentials
        )
        client.datastores.create_or_update(made)
        assert "hush" not in lake_workspace.azure.arm("GET", f"{lake_workspace.id}/datastores/kept").text
        found = client.datastores.get("kept", include_secrets=True)
        assert found.filesystem == "kept"
        assert secret in (
            getattr(found.credentials, "client_secret", None),
            getattr(found.credentials, "sas_token", None),
        )
        client.datastores.delete("kept")


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("-kept", {}, "is invalid"),
        ("kept", {"filesystem": None}, "The filesystem field is required"),
        ("kept", {"filesystem": "No_Such"}, "properties.filesystem: 'No_Such' is invalid"),
        ("kept", {"accountName": "Upper"}, "properties.accountName: 'Upper' is invalid"),
        ("kept", {"credentials": {"credentialsType": "Password"}}, "is not a known credentialsType"),
        (
            "kept",
            {"credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "Sas", "sasToken": "s"}}},
            "credentials of type AccountKey have secrets of that type, not Sas",
        ),
        (
            "kept",
            {"credentials": {"credentialsType": "Sas", "secrets": {"secretsType": "Sas"}}},
            "secrets.sasToken: The sasToken is required",
        ),
    ],
)
def test_a_datastore_that_azure_refuses_is_refused(
    lake_workspace: Workspace, name: str, change: Json, reason: str
) -> None:
    properties = {
        "datastoreType": "AzureDataLakeGen2",
        "accountName": lake_workspace.account,
        "filesystem": "kept",
        "credentials": {"credentialsType": "None"},
        **change,
    }
    path = f"{lake_workspace.id}/datastores/{name}"
    answer = lake_workspace.azure.arm("PUT", path, {"properties": properties})
    assert answer.status_code == 400, answer.text
    assert reason in answer.json()["error"]["message"]


def test_the_default_datastore_stays(client: MLClient) -> None:
    with pytest.raises(HttpResponseError, match="is the workspace's default datastore"):
        client.datastores.delete("workspaceblobstore")
    assert client.datastores.get_default().name == "workspaceblobstore"
