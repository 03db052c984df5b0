"""Blob storage by the unmodified azure-storage-blob: who may, who may not, and that what comes back is what went in."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    AccessPolicy,
    BlobBlock,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

from amlite.testing import LocalAzure
from amlite_fixtures.azure import GROUP_ID, Json

VERSION = "2024-01-01"


@pytest.fixture(scope="module")
def account(amlite: LocalAzure) -> str:
    return _make(amlite, shared_key=True)


@pytest.fixture(scope="module")
def public(amlite: LocalAzure) -> str:
    return _make(amlite, shared_key=True, allowBlobPublicAccess=True)


def _make(amlite: LocalAzure, *, shared_key: bool, **properties: bool) -> str:
    name = f"st{uuid.uuid4().hex[:16]}"
    body: Json = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    body["properties"] = {"allowSharedKeyAccess": shared_key, **properties}
    amlite.put(_id(name), body, VERSION)
    return name


def _id(account: str) -> str:
    return f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{account}"


@pytest.fixture(scope="module")
def key(amlite: LocalAzure, account: str) -> str:
    return _key(amlite, account)


def _key(amlite: LocalAzure, account: str) -> str:
    return str(amlite.arm("POST", f"{_id(account)}/listKeys", {}, VERSION).json()["keys"][0]["value"])


def _service(account: str, credential: object) -> BlobServiceClient:
    return BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=credential, retry_total=0)  # type: ignore[arg-type]


@pytest.fixture
def container(amlite: LocalAzure, account: str) -> Iterator[ContainerClient]:
    """A new container, as a principal sees it that may read and write blobs by its token."""
    contributor = amlite.application(("Storage Blob Data Contributor", _id(account)))
    with _service(account, contributor) as service:
        created = service.create_container(f"c-{uuid.uuid4().hex[:12]}")
        yield created
        created.delete_container()


def test_an_account_created_again_under_its_name_is_empty_and_works(amlite: LocalAzure) -> None:
    name = _make(amlite, shared_key=True)
    for _ in range(2):
        contributor = amlite.application(("Storage Blob Data Contributor", _id(name)))
        with _service(name, contributor) as service:
            assert list(service.list_containers()) == []
            service.create_container("kept").upload_blob("a", b"x")
        amlite.remove(_id(name), VERSION)
        amlite.put(_id(name), {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, VERSION)


def test_owning_the_account_is_no_role_on_its_blobs(amlite: LocalAzure, account: str) -> None:
    with _service(account, amlite.credential) as service, pytest.raises(HttpResponseError) as refused:
        service.get_blob_client("c", "b").upload_blob(b"x")
    assert refused.value.error_code == "AuthorizationPermissionMismatch"


def test_reader_may_read_and_not_write(amlite: LocalAzure, account: str, container: ContainerClient) -> None:
    container.upload_blob("a", b"content")
    reader = amlite.application(("Storage Blob Data Reader", _id(account)))
    with _service(account, reader) as service:
        seen = service.get_container_client(container.container_name)
        assert seen.download_blob("a").readall() == b"content"
        assert [blob.name for blob in seen.list_blobs()] == ["a"]
        for forbidden in (
            lambda: seen.upload_blob("b", b"x"),
            lambda: seen.delete_blob("a"),
            seen.delete_container,
            lambda: service.create_container("other"),
            lambda: seen.delete_blobs("a"),
        ):
            with pytest.raises(HttpResponseError):
                forbidden()
        assert seen.download_blob("a").readall() == b"content"


def test_role_on_one_container_is_none_on_another(amlite: LocalAzure, account: str, container: ContainerClient) -> None:
    container.upload_blob("a", b"x")
    scope = f"{_id(account)}/blobServices/default/containers/other"
    narrow = amlite.application(("Storage Blob Data Contributor", scope))
    with _service(account, narrow) as service, pytest.raises(HttpResponseError):
        service.get_blob_client(container.container_name, "a").download_blob()


def test_a_container_of_the_resource_manager_is_the_one_that_clients_see(amlite: LocalAzure, account: str) -> None:
    """Microsoft.Storage `BlobContainers_Create` and `_Delete`."""
    path = f"{_id(account)}/blobServices/default/containers/managed"
    amlite.put(path, {"properties": {"publicAccess": "None"}}, VERSION)
    with _service(account, amlite.application(("Storage Blob Data Contributor", _id(account)))) as service:
        service.get_blob_client("managed", "a").upload_blob(b"content")
        amlite.remove(path, VERSION)
        amlite.put(path, {"properties": {}}, VERSION)
        with pytest.raises(ResourceNotFoundError):
            service.get_blob_client("managed", "a").download_blob()
    amlite.remove(path, VERSION)


def test_copying_needs_the_right_to_read_the_source(
    amlite: LocalAzure, account: str, container: ContainerClient
) -> None:
    container.upload_blob("secret", b"x")
    own = f"{_id(account)}/blobServices/default/containers/{container.container_name}x"
    source = container.get_blob_client("secret").url
    narrow = amlite.application(("Storage Blob Data Contributor", own))
    with _service(account, narrow) as service:
        mine = service.create_container(f"{container.container_name}x")
        with pytest.raises(HttpResponseError):
            mine.get_blob_client("stolen").start_copy_from_url(source)
        assert list(mine.list_blobs()) == []
        mine.delete_container()


def test_copy_within_the_account(container: ContainerClient) -> None:
    container.upload_blob("a b", b"content")
    copied = container.get_blob_client("copy")
    copied.start_copy_from_url(container.get_blob_client("a b").url)
    assert copied.download_blob().readall() == b"content"


@pytest.mark.parametrize("token", ["x", "a.b.c"])
def test_forged_bearer_is_refused(amlite: LocalAzure, account: str, token: str) -> None:
    answer = amlite.session.get(
        f"https://{account}.blob.core.windows.net/?comp=list",
        headers={"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03"},
    )
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")


def test_token_for_another_service_is_refused(amlite: LocalAzure, account: str) -> None:
    token = amlite.credential.get_token("https://management.azure.com/.default").token
    answer = amlite.session.get(
        f"https://{account}.blob.core.windows.net/?comp=list", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


def test_account_key_signs_in_and_a_wrong_one_does_not(account: str, key: str, container: ContainerClient) -> None:
    with _service(account, key) as service:
        service.get_blob_client(container.container_name, "by-key").upload_blob(b"x")
    with _service(account, "d3Jvbmc=") as service, pytest.raises(HttpResponseError) as refused:
        service.get_blob_client(container.container_name, "by-key").download_blob()
    assert refused.value.status_code == 403


def test_signatures_by_key_hold_for_what_they_say(account: str, key: str, container: ContainerClient) -> None:
    container.upload_blob("a", b"content")
    hour = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    names = (account, container.container_name)
    sas = generate_blob_sas(*names, "a", account_key=key, permission=BlobSasPermissions(read=True), expiry=hour)
    with _service(account, sas) as service:
        blob = service.get_blob_client(container.container_name, "a")
        assert blob.download_blob().readall() == b"content"
        with pytest.raises(HttpResponseError):
            blob.upload_blob(b"x", overwrite=True)
    past = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    old = generate_container_sas(*names, key, permission=ContainerSasPermissions(list=True), expiry=past)
    with _service(account, old) as service, pytest.raises(HttpResponseError):
        list(service.get_container_client(container.container_name).list_blobs())


@pytest.mark.attack
def test_what_permits_to_read_a_public_container_permits_no_write(amlite: LocalAzure) -> None:
    """`signatures.opens` asks the service with such a write, which changes nothing."""
    account = _make(amlite, shared_key=True, allowBlobPublicAccess=True)
    key = _key(amlite, account)
    hour = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    with _service(account, key) as service:
        container = service.create_container(f"c-{uuid.uuid4().hex[:12]}")
        policy = AccessPolicy(permission=ContainerSasPermissions(read=True), expiry=hour)
        container.set_container_access_policy({"read": policy}, public_access="container")
    names = (account, container.container_name, key)
    may = generate_container_sas(*names, permission=ContainerSasPermissions(write=True), expiry=hour)
    for signature, status in (
        (generate_container_sas(*names, policy_id="read"), 403), ("sp=rwl&sig=AAAA", 403), (may, 404),
    ):  # fmt: skip
        address = f"{container.url}/none?{signature}&comp=metadata"
        assert amlite.session.put(address, headers={"x-ms-version": "2023-11-03"}).status_code == status


def test_keys_are_refused_where_the_account_says_so(amlite: LocalAzure) -> None:
    name = _make(amlite, shared_key=False)
    refused = amlite.arm("POST", f"{_id(name)}/listKeys", {}, VERSION)
    assert refused.json()["error"]["code"] == "KeyBasedAuthenticationNotPermitted"
    with _service(name, "a2V5") as service, pytest.raises(HttpResponseError) as by_key:
        service.create_container("c")
    assert by_key.value.error_code == "KeyBasedAuthenticationNotPermitted"
    contributor = amlite.application(("Storage Blob Data Contributor", _id(name)))
    with _service(name, contributor) as service:
        service.create_container("c-1").upload_blob("a", b"x")


def test_without_any_sign_in_nothing_is_seen(amlite: LocalAzure, container: ContainerClient) -> None:
    container.upload_blob("a", b"x")
    assert amlite.session.get(container.get_blob_client("a").url).status_code in (401, 403, 404, 409)


@pytest.mark.attack
@pytest.mark.parametrize("by_key", [False, True], ids=["by token", "by key"])
def test_a_container_is_public_only_if_its_account_allows_it(amlite: LocalAzure, by_key: bool) -> None:
    """The services' own port serves a public container to other users of the machine, too."""
    name = _make(amlite, shared_key=True)
    owner: object = amlite.application(("Storage Blob Data Owner", _id(name)))
    if by_key:
        owner = _key(amlite, name)
    with _service(name, owner) as service:
        with pytest.raises(HttpResponseError) as refused:
            service.create_container("open", public_access="container")
        assert refused.value.error_code == "PublicAccessNotPermitted"
        assert not service.get_container_client("open").exists()
        amlite.arm("PATCH", _id(name), {"properties": {"allowBlobPublicAccess": True}}, VERSION)
        blob = service.create_container("open", public_access="container").upload_blob("a", b"x").url
        assert amlite.session.get(blob).content == b"x"
        amlite.arm("PATCH", _id(name), {"properties": {"allowBlobPublicAccess": False}}, VERSION)
        assert amlite.session.get(blob).status_code == 409


@pytest.mark.attack
def test_a_container_of_the_resource_manager_is_public_only_if_its_account_allows_it(amlite: LocalAzure) -> None:
    """Source: "Configure anonymous read access for containers and blobs"."""
    name = _make(amlite, shared_key=True)
    path = f"{_id(name)}/blobServices/default/containers/shown"

    def put(level: str) -> str:
        return amlite.arm("PUT", path, {"properties": {"publicAccess": level}}, VERSION).text

    assert "PublicAccessNotPermitted" in put("Blob")
    assert "InvalidRequestPropertyValue" in put("Anybody")
    assert amlite.arm("GET", path, version=VERSION).status_code == 404
    amlite.arm("PATCH", _id(name), {"properties": {"allowBlobPublicAccess": True}}, VERSION)
    put("None")
    with _service(name, _key(amlite, name)) as service:
        container = service.get_container_client("shown")
        container.set_container_access_policy({"read": AccessPolicy(ContainerSasPermissions(read=True))})
        blob = container.upload_blob("a", b"x").url
        for level, shows_blob, shows_list in (("Blob", True, False), ("Container", True, True), ("None", False, False)):
            put(level)
            assert amlite.session.get(blob).ok is shows_blob, level
            listed = amlite.session.get(f"{container.url}?restype=container&comp=list")
            assert listed.ok is shows_list, level
            assert [each.id for each in container.get_container_access_policy()["signed_identifiers"]] == ["read"]


_POLICY = "<SignedIdentifiers><SignedIdentifier>{}</SignedIdentifier></SignedIdentifiers>"
_SERVICE = "<StorageServiceProperties>{}</StorageServiceProperties>"


@pytest.mark.attack
@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "code"),
    [
        ("PUT", "/?restype=service&comp=properties", {}, "", "InvalidXmlDocument"),
        ("PUT", "/?restype=service&comp=properties", {}, _SERVICE.format(""), "InvalidXmlDocument"),
        ("PUT", "/?restype=service&comp=properties", {}, "<Other/>", "InvalidXmlDocument"),
        (
            "PUT",
            "/?restype=service&comp=properties",
            {},
            _SERVICE.format("<Cors><CorsRule/></Cors>"),
            "InvalidXmlDocument",
        ),
        ("PUT", "/kept?restype=container&comp=acl", {}, _POLICY.format(""), "InvalidXmlDocument"),
        ("PUT", "/kept?restype=container&comp=acl", {}, "<", "InvalidXmlDocument"),
        ("PUT", "/kept/a?comp=blocklist", {}, "", "InvalidXmlDocument"),
        ("PUT", "/kept?restype=container&comp=lease", {"x-ms-lease-action": "acquire"}, "", "MissingRequiredHeader"),
        ("PUT", "/kept/a?comp=lease", {"x-ms-lease-action": "acquire"}, "", "MissingRequiredHeader"),
        ("PUT", "/new?restype=container", {"x-ms-blob-public-access": "all"}, "", "InvalidHeaderValue"),
        ("PUT", "/kept/b", {"x-ms-blob-type": "BlockBlob", "x-ms-tags": "%"}, "x", "InvalidHeaderValue"),
        ("PUT", "/kept/b", {"x-ms-blob-type": "BlockBlob", "x-ms-tags": "%ff"}, "x", "InvalidHeaderValue"),
        ("GET", "/?comp=blobs", {}, "", "MissingRequiredQueryParameter"),
        ("GET", "/kept/page", {"Range": "bytes=-1"}, "", "InvalidRange"),
        ("GET", "/kept/page", {"x-ms-range": "bytes=x"}, "", "InvalidRange"),
        ("GET", "/kept/page", {"Range": "bytes=5-1"}, "", "InvalidRange"),
        ("PUT", "/kept/a?comp=undelete", {}, "", "NotImplemented"),
    ],
)
def test_what_azurite_would_stumble_over_is_refused(
    amlite: LocalAzure, public: str, method: str, target: str, headers: dict[str, str], body: str, code: str
) -> None:
    """Some of it Azurite would keep, and answer everything else with a 500. A range would end it."""
    owner = amlite.application(("Storage Blob Data Owner", _id(public)), ("Owner", _id(public)))
    with _service(public, owner) as service:
        kept = service.get_container_client("kept")
        if not kept.exists():
            kept.create_container()
            kept.upload_blob("a", b"x")
            kept.get_blob_client("page").create_page_blob(512)
    token = owner.get_token("https://storage.azure.com/.default").token
    sent = {"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03", **headers}
    url = f"https://{public}.blob.core.windows.net{target}"
    answer = amlite.session.request(method, url, data=body or None, headers=sent)
    assert answer.headers["x-ms-error-code"] == code
    with _service(public, _key(amlite, public)) as service:
        assert [each.name for each in service.list_containers()] == ["kept"]
        assert [each.name for each in service.get_container_client("kept").list_blobs()] == ["a", "page"]


def test_unknown_account_is_a_404(amlite: LocalAzure) -> None:
    with _service("nosuchaccount", amlite.credential) as service, pytest.raises(ResourceNotFoundError):
        service.create_container("c-1")


def test_big_blob_comes_back_as_it_went(container: ContainerClient, tmp_path: Path) -> None:
    file = tmp_path / "big"
    digest = hashlib.sha256()
    with file.open("wb") as writing:
        for _ in range(12):
            chunk = os.urandom(6 << 20)
            digest.update(chunk)
            writing.write(chunk)
    with file.open("rb") as reading:
        container.upload_blob("big", reading, max_concurrency=4)
    back = hashlib.sha256()
    for chunk in container.download_blob("big", max_concurrency=4).chunks():
        back.update(chunk)
    assert back.digest() == digest.digest()


def test_ranges(container: ContainerClient) -> None:
    container.upload_blob("a", bytes(range(256)))
    blob = container.get_blob_client("a")
    assert blob.download_blob(offset=10, length=5).readall() == bytes(range(10, 15))
    assert blob.download_blob(offset=250).readall() == bytes(range(250, 256))
    assert blob.get_blob_properties().size == 256


def test_conditions(container: ContainerClient) -> None:
    blob = container.get_blob_client("a")
    first = blob.upload_blob(b"1")
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"2", overwrite=False)
    blob.upload_blob(b"2", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"3", overwrite=True, etag=first["etag"], match_condition=MatchConditions.IfNotModified)
    now = blob.get_blob_properties().etag
    with pytest.raises(HttpResponseError) as unchanged:
        blob.download_blob(etag=now, match_condition=MatchConditions.IfModified)
    assert unchanged.value.status_code == 304
    assert blob.download_blob().readall() == b"2"


def test_blocks(container: ContainerClient) -> None:
    blob = container.get_blob_client("blocks")
    for number in ("1", "2", "3"):
        blob.stage_block(number, number.encode() * 1000)
    blob.commit_block_list([BlobBlock("3"), BlobBlock("1")], metadata={"k": "v"})
    assert blob.download_blob().readall() == b"3" * 1000 + b"1" * 1000
    assert blob.get_blob_properties().metadata == {"k": "v"}


@pytest.mark.parametrize("name", ["a b/c+d.txt", "ünï/✓", "100%25/&=?#", "a//b", "tilde~'()!*", ".hidden/x"])
def test_names_of_every_kind(container: ContainerClient, name: str) -> None:
    container.upload_blob(name, name.encode())
    assert container.download_blob(name).readall() == name.encode()
    assert [blob.name for blob in container.list_blobs()] == [name]
    assert [blob.name for blob in container.list_blobs(name_starts_with=name)] == [name]


def test_listing_by_folder_and_by_page(container: ContainerClient) -> None:
    for name in ("a/1", "a/2", "b/1", "top"):
        container.upload_blob(name, b"")
    assert [found.name for found in container.walk_blobs()] == ["a/", "b/", "top"]
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=3).by_page()]
    assert pages == [["a/1", "a/2", "b/1"], ["top"]]


def test_an_accepted_blob_outlives_a_kill_of_azurite(amlite: LocalAzure, container: ContainerClient) -> None:
    """Azure Storage answers a write when it is durable. Azurite alone saves its tables every five seconds."""
    for number in range(4):
        container.upload_blob(f"{number}", b"content")
        for process in psutil.process_iter():
            if f"{amlite.state}/azurite" in _command_of(process):
                process.kill()
                process.wait()
        assert container.download_blob(f"{number}").readall() == b"content"


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_batch_deletes_by_token(container: ContainerClient) -> None:
    names = ["one", "two/with space", "three"]
    for name in names:
        container.upload_blob(name, b"x")
    answers = list(container.delete_blobs(*names[:2], "missing", raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [202, 202, 404]
    assert [blob.name for blob in container.list_blobs()] == ["three"]


def test_batch_deletes_by_key(account: str, key: str, container: ContainerClient) -> None:
    container.upload_blob("a", b"x")
    with _service(account, key) as service:
        (answer,) = service.get_container_client(container.container_name).delete_blobs("a")
    assert answer.status_code == 202


def test_a_new_account_does_not_disturb_an_old_ones_content(amlite: LocalAzure, container: ContainerClient) -> None:
    container.upload_blob("a", b"kept")
    _make(amlite, shared_key=True)
    assert container.download_blob("a").readall() == b"kept"


@pytest.mark.parametrize("part", ["queue", "table", "file"])
def test_other_storage_services_are_refused_clearly(amlite: LocalAzure, account: str, part: str) -> None:
    answer = amlite.session.get(f"https://{account}.{part}.core.windows.net/x")
    assert answer.status_code == 501
    assert f"{account}.{part}.core.windows.net is not served by this local Azure" in answer.text
    assert f"{account}.blob.core.windows.net" in answer.text
