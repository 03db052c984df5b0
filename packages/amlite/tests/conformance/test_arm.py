"""Azure Resource Manager as its real clients see it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import ARM, GROUP, SUBSCRIPTION, Json

IN_GROUP = f"/resourceGroups/{GROUP}"
ACCOUNTS = f"{IN_GROUP}/providers/Microsoft.Storage/storageAccounts"
ASSIGNMENT = "/providers/Microsoft.Authorization/roleAssignments/10ca1000-0000-4000-8000-000000000001"
ACCOUNT: Json = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
VERSION = "2024-01-01"


@pytest.fixture
def resources(amlite: LocalAzure) -> Iterator[ResourceManagementClient]:
    with ResourceManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as client:
        yield client


@pytest.fixture
def storage(amlite: LocalAzure) -> Iterator[StorageManagementClient]:
    with StorageManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as client:
        yield client


@pytest.fixture
def group(resources: ResourceManagementClient) -> Iterator[str]:
    name = f"rg-{uuid.uuid4().hex[:8]}"
    resources.resource_groups.create_or_update(name, {"location": "West Europe", "tags": {"a": "1"}})
    yield name
    if resources.resource_groups.check_existence(name):
        resources.resource_groups.begin_delete(name).wait()


def _account() -> str:
    return f"st{uuid.uuid4().hex[:16]}"


def test_resource_group_lives_and_dies(resources: ResourceManagementClient) -> None:
    name = f"rg-{uuid.uuid4().hex[:8]}"
    assert not resources.resource_groups.check_existence(name)
    created = resources.resource_groups.create_or_update(name, {"location": "West Europe"})
    assert (created.location, created.properties.provisioning_state) == ("westeurope", "Succeeded")
    assert resources.resource_groups.update(name, {"tags": {"owner": "me"}}).tags == {"owner": "me"}
    assert name in [found.name for found in resources.resource_groups.list()]
    resources.resource_groups.begin_delete(name).result()
    with pytest.raises(ResourceNotFoundError, match="ResourceGroupNotFound"):
        resources.resource_groups.get(name)


def test_group_stays_in_its_region(resources: ResourceManagementClient, group: str) -> None:
    with pytest.raises(ResourceExistsError, match="InvalidResourceGroupLocation"):
        resources.resource_groups.create_or_update(group, {"location": "eastus"})


def test_resource_is_created_by_a_long_running_operation(storage: StorageManagementClient, group: str) -> None:
    name = _account()
    created = storage.storage_accounts.begin_create(group, name, ACCOUNT).result()
    assert created.provisioning_state == "Succeeded"
    assert created.primary_endpoints.blob == f"https://{name}.blob.core.windows.net/"
    assert storage.storage_accounts.get_properties(group, name.upper()).id == created.id, "ids have no case"
    assert [found.name for found in storage.storage_accounts.list_by_resource_group(group)] == [name]


def test_patch_merges_and_keeps_the_rest(storage: StorageManagementClient, group: str) -> None:
    name = _account()
    storage.storage_accounts.begin_create(group, name, {**ACCOUNT, "tags": {"a": "1"}}).result()
    updated = storage.storage_accounts.update(group, name, {"properties": {"allowSharedKeyAccess": False}})
    assert (updated.allow_shared_key_access, updated.tags, updated.kind) == (False, {"a": "1"}, "StorageV2")


def _grant(azure: LocalAzure, principal: str) -> int:
    """Assign a role to a principal that the directory must have: without a type, no new one is expected."""
    role = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    path = f"{SUBSCRIPTION}{IN_GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    body = {"properties": {"principalId": principal, "roleDefinitionId": role}}
    return azure.arm("PUT", path, body, "2022-04-01").status_code


@pytest.mark.attack
def test_an_identity_that_is_taken_away_is_gone(amlite: LocalAzure) -> None:
    path = f"{SUBSCRIPTION}{IN_GROUP}/providers/Microsoft.Databricks/accessConnectors/c-{uuid.uuid4().hex[:8]}"
    place, version = {"location": "westeurope"}, "2024-05-01"
    first = amlite.put(path, {**place, "identity": {"type": "SystemAssigned"}}, version)["identity"]["principalId"]
    assert (
        amlite.put(path, {**place, "tags": {"a": "b"}, "identity": {"type": "SystemAssigned"}}, version)["identity"][
            "principalId"
        ]
        == first
    )
    amlite.put(path, {**place, "identity": {"type": "None"}}, version)
    assert _grant(amlite, first) == 400
    second = amlite.put(path, {**place, "identity": {"type": "SystemAssigned"}}, version)["identity"]["principalId"]
    assert second != first
    assert _grant(amlite, second) == 201
    amlite.remove(path, version)


@pytest.mark.attack
def test_the_identity_of_a_batch_endpoint_can_be_taken_away(azureml_workspace: Workspace) -> None:
    """It has roles, which go with it."""
    azure, path = azureml_workspace.azure, f"{azureml_workspace.id}/batchEndpoints/batch-{uuid.uuid4().hex[:8]}"
    body: Json = {"location": "westeurope", "properties": {"authMode": "AADToken"}}
    made = azure.put(path, {**body, "identity": {"type": "SystemAssigned"}})
    assert azure.put(path, body)["identity"] == made["identity"], "who says nothing of it changes nothing"
    assert "identity" not in azure.put(path, {**body, "identity": {"type": "None"}})
    assert _grant(azure, made["identity"]["principalId"]) == 400
    azure.remove(path)


def test_deleting_a_group_takes_its_resources_and_frees_their_names(
    resources: ResourceManagementClient, storage: StorageManagementClient, group: str
) -> None:
    name = _account()
    storage.storage_accounts.begin_create(group, name, ACCOUNT).result()
    assert [found.name for found in resources.resources.list_by_resource_group(group)] == [name]
    resources.resource_groups.begin_delete(group).result()
    resources.resource_groups.create_or_update(group, {"location": "westeurope"})
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        storage.storage_accounts.get_properties(group, name)
    storage.storage_accounts.begin_create(group, name, ACCOUNT).result()


def test_names_in_host_names_are_unique_over_groups(
    resources: ResourceManagementClient, storage: StorageManagementClient, group: str
) -> None:
    name = _account()
    storage.storage_accounts.begin_create(group, name, ACCOUNT).result()
    other = f"{group}-other"
    resources.resource_groups.create_or_update(other, {"location": "westeurope"})
    with pytest.raises(ResourceExistsError, match="is already taken"):
        storage.storage_accounts.begin_create(other, name, ACCOUNT)
    resources.resource_groups.begin_delete(other).wait()


def test_resource_cannot_move(storage: StorageManagementClient, group: str) -> None:
    name = _account()
    storage.storage_accounts.begin_create(group, name, ACCOUNT).result()
    with pytest.raises(ResourceExistsError, match="cannot be created in location 'eastus'"):
        storage.storage_accounts.begin_create(group, name, {**ACCOUNT, "location": "eastus"})


def test_deleting_what_is_not_there_is_a_204(storage: StorageManagementClient, group: str) -> None:
    storage.storage_accounts.delete(group, _account())


def test_vault_and_identity_by_their_clients(amlite: LocalAzure, group: str) -> None:
    credential = DefaultAzureCredential()
    with KeyVaultManagementClient(credential, SUBSCRIPTION_ID) as vaults:
        body = {
            "location": "westeurope",
            "properties": {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []},
        }
        name = f"kv-{uuid.uuid4().hex[:8]}"
        vault = vaults.vaults.begin_create_or_update(group, name, body).result()
        assert vault.properties.vault_uri == f"https://{name}.vault.azure.net/"
    with ManagedServiceIdentityClient(credential, SUBSCRIPTION_ID) as identities:
        identity = identities.user_assigned_identities.create_or_update(group, "id-ci", {"location": "westeurope"})
        again = identities.user_assigned_identities.create_or_update(group, "id-ci", {"location": "westeurope"})
        assert (again.principal_id, again.client_id) == (identity.principal_id, identity.client_id)
        trust = {
            "properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
        }
        identities.federated_identity_credentials.create_or_update(group, "id-ci", "github", trust)
        with pytest.raises(ResourceExistsError, match="Issuer and subject combination already exists"):
            identities.federated_identity_credentials.create_or_update(group, "id-ci", "another", trust)
        found = identities.federated_identity_credentials.list(group, "id-ci")
        assert [credential.name for credential in found] == ["github"]


@pytest.mark.parametrize("subscription", ["0b1f6471-1bf0-4dda-aec3-cb9272f09590", "not-a-guid"])
def test_no_other_subscription_is_known(amlite: LocalAzure, subscription: str) -> None:
    with ResourceManagementClient(DefaultAzureCredential(), subscription) as client:
        with pytest.raises(ResourceNotFoundError) as refused:
            list(client.resource_groups.list())
        assert refused.value.error is not None
        assert refused.value.error.code == "SubscriptionNotFound"
        with pytest.raises(HttpResponseError, match=f"The subscription '{subscription}' could not be found"):
            client.resource_groups.create_or_update("rg", {"location": "westeurope"})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PUT", f"{ACCOUNTS}/stabc".replace(GROUP, "none"), ACCOUNT, 404, "ResourceGroupNotFound"),
        ("GET", f"{ACCOUNTS}/none", None, 404, "ResourceNotFound"),
        ("PUT", f"{ACCOUNTS}/A", ACCOUNT, 400, "InvalidResourceName"),
        ("PUT", f"{ACCOUNTS}/stabc", {"kind": "x"}, 400, "LocationRequired"),
        ("PUT", f"{ACCOUNTS}/stabc",
         {"location": "westeurope"}, 400, "InvalidRequestContent"),
        ("PUT", f"{ACCOUNTS}/stabc",
         {**ACCOUNT, "properties": []}, 400, "InvalidRequestContent"),
        ("PUT", f"{ACCOUNTS}/none/blobServices/default", {}, 404, "ParentResourceNotFound"),
        ("GET", f"{IN_GROUP}/providers/Microsoft.Storage/storageAccount/x", None, 404, "InvalidResourceType"),
        ("POST", f"{ACCOUNTS}/x/explode", {}, 404, "InvalidResourceType"),
        ("POST", ACCOUNTS, {}, 404, "InvalidResourceType"),
        ("DELETE", ACCOUNTS, None, 405, "MethodNotAllowed"),
        ("PUT", "/resourceGroups/bad*name", {"location": "westeurope"}, 400, "InvalidResourceGroup"),
        ("PUT", "/resourceGroups/rg", {}, 400, "LocationRequired"),
        ("GET", "/providers/Microsoft.Storage/locations/x/operationStatuses/none", None, 404, "OperationNotFound"),
        ("PUT", f"{ACCOUNTS}/none{ASSIGNMENT}",
         {"properties": {"roleDefinitionId": "x", "principalId": "y"}}, 404, "ResourceNotFound"),
        ("PUT", ASSIGNMENT,
         {"properties": {"roleDefinitionId": "x", "principalId": "y"}}, 400, "RoleDefinitionDoesNotExist"),
        ("PUT", ASSIGNMENT,
         {"properties": {"roleDefinitionId": 1, "principalId": "y"}}, 400, "InvalidRequestContent"),
    ],
)  # fmt: skip
def test_refusals_in_arms_words(
    amlite: LocalAzure, method: str, path: str, body: Json | None, status: int, code: str
) -> None:
    answer = amlite.arm(method, f"{SUBSCRIPTION}{path}", body, VERSION)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.headers["x-ms-request-id"]


def test_mistyped_type_is_suggested(amlite: LocalAzure) -> None:
    path = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccount/x"
    answer = amlite.arm("GET", path, version=VERSION).json()
    assert "Did you mean 'Microsoft.Storage/storageAccounts'?" in answer["error"]["message"]


@pytest.mark.parametrize("type_", ["featuresets", "capabilityHosts", "serverlessEndpoints"])
def test_type_that_is_another_one_is_not_suggested(amlite: LocalAzure, type_: str) -> None:
    provider = f"{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices"
    answer = amlite.arm("GET", f"{provider}/workspaces/w/{type_}", version=VERSION).json()
    assert answer["error"]["message"].endswith("(not part of this local Azure).")


@pytest.mark.parametrize("content", ["{", "[]", '"text"', "\xff"])
def test_body_that_is_no_json_object_is_refused(amlite: LocalAzure, content: str) -> None:
    token = amlite.credential.get_token(f"{ARM}/.default").token
    answer = amlite.session.put(
        f"{ARM}{SUBSCRIPTION}/resourceGroups/rg?api-version=2021-04-01",
        data=content.encode("latin-1"),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("version", "code"), [("", "MissingApiVersionParameter"), ("yes", "InvalidApiVersionParameter")]
)
def test_api_version_is_required(amlite: LocalAzure, version: str, code: str) -> None:
    token = amlite.credential.get_token(f"{ARM}/.default").token
    path = f"{ARM}{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/x"
    answer = amlite.session.get(
        path, params={"api-version": version} if version else {}, headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("resourceType eq 'Microsoft.Storage/storageAccounts'", "ab"),
        ("resourceType eq 'microsoft.storage/storageaccounts' and name ne '{a}'", "b"),
        ("resourceType eq 'Microsoft.ManagedIdentity/userAssignedIdentities' or name eq '{b}'", "bc"),
        ("substringof('{part}', name)", "ab"),
        ("tagName eq 'Team' and tagValue eq 'it''s me'", "a"),
        ("tagName eq 'team'", "ab"),
    ],
)
def test_resources_are_listed_by_filters(
    amlite: LocalAzure, resources: ResourceManagementClient, group: str, wanted: str, found: str
) -> None:
    """Source: resources.json, Resources_ListByResourceGroup, `$filter`."""
    base = f"{SUBSCRIPTION}/resourceGroups/{group}/providers"
    part = uuid.uuid4().hex[:10]
    names = {"a": f"st{part}a", "b": f"st{part}b", "c": f"id-{uuid.uuid4().hex[:8]}"}
    for key, team in (("a", "it's me"), ("b", "you")):
        amlite.put(
            f"{base}/Microsoft.Storage/storageAccounts/{names[key]}", {**ACCOUNT, "tags": {"team": team}}, VERSION
        )
    identity = f"{base}/Microsoft.ManagedIdentity/userAssignedIdentities/{names['c']}"
    amlite.put(identity, {"location": "westeurope"}, "2023-01-31")
    listed = resources.resources.list_by_resource_group(group, filter=wanted.format(**names, part=part))
    assert sorted(each.name for each in listed) == sorted(names[key] for key in found)


def test_lists_of_resources_are_cut_and_expanded_and_refuse_other_filters(
    amlite: LocalAzure, resources: ResourceManagementClient, group: str
) -> None:
    path = f"{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts"
    for _ in range(2):
        amlite.put(f"{path}/{_account()}", ACCOUNT, VERSION)
    listed = list(resources.resources.list_by_resource_group(group, expand="createdTime,provisioningState", top=1))
    assert [each.provisioning_state for each in listed] == ["Succeeded"]
    assert listed[0].created_time is not None
    for wrong in ("colour eq 'red'", "tagName eq 'a' and name eq 'b'", "name like 'x'"):
        with pytest.raises(HttpResponseError, match="InvalidFilterInQueryString"):
            list(resources.resources.list(filter=wrong))
