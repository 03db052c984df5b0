"""Soft deletion as the real clients see it, and the names that Azure says are taken.

Sources: Microsoft's concept-soft-delete (workspaces), key-vault/general/soft-delete-overview (vaults), the
`checkNameAvailability` operations of keyvault.json, storage.json and containerregistry.json, and the errors that
azurerm#22171, azure-cli#33756, AzureTRE#1446 and azurerm#12972 quote.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.storage import StorageManagementClient

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP, SUBSCRIPTION, Json

if TYPE_CHECKING:
    from azure.mgmt.keyvault.models import Vault

REGION = "westeurope"
SKU = {"family": "A", "name": "standard"}


@pytest.fixture
def vaults(amlite: LocalAzure) -> Iterator[Any]:
    with KeyVaultManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as client:
        yield client.vaults


@pytest.fixture
def name() -> str:
    return f"kv{uuid.uuid4().hex[:10]}"


def make(vaults: Any, name: str, group: str = GROUP, **properties: Any) -> Vault:
    body = {
        "location": REGION,
        "tags": {"stack": "dev"},
        "properties": {"tenantId": TENANT_ID, "sku": SKU, "accessPolicies": [], **properties},
    }
    return vaults.begin_create_or_update(group, name, body).result()  # type: ignore[no-any-return]


def purge_workspace(workspace: Workspace) -> None:
    deleted = workspace.azure.arm("DELETE", workspace.id, query="&forceToPurge=true")
    assert deleted.status_code == 202
    workspace.azure.finish(deleted)


def workspace_body(workspace: Workspace) -> Json:
    found = workspace.azure.arm("GET", workspace.id).json()
    kept = ("storageAccount", "keyVault", "applicationInsights", "containerRegistry")
    return {"location": REGION, "properties": {key: found["properties"][key] for key in kept}}


def test_a_deleted_vault_keeps_its_name_until_it_is_purged(vaults: Any, name: str) -> None:
    make(vaults, name, softDeleteRetentionInDays=7)
    vaults.delete(GROUP, name)
    with pytest.raises(ResourceNotFoundError):
        vaults.get(GROUP, name)
    deleted = vaults.get_deleted(name, REGION)
    assert (deleted.properties.location, deleted.properties.tags) == (REGION, {"stack": "dev"})
    assert (deleted.properties.scheduled_purge_date - deleted.properties.deletion_date).days == 7
    assert deleted.properties.vault_id.endswith(f"/vaults/{name}")
    assert name in [each.name for each in vaults.list_deleted()]
    with pytest.raises(ResourceExistsError, match=r"(?s)ConflictError.*already exists in deleted state"):
        make(vaults, name)
    vaults.begin_purge_deleted(name, REGION).result()
    with pytest.raises(ResourceNotFoundError):
        vaults.get_deleted(name, REGION)
    assert make(vaults, name).properties.soft_delete_retention_in_days == 90


def test_a_deleted_vault_comes_back_as_it_was(vaults: Any, name: str) -> None:
    made = make(vaults, name, softDeleteRetentionInDays=10, publicNetworkAccess="Disabled")
    vaults.delete(GROUP, name)
    back = make(vaults, name, createMode="recover", publicNetworkAccess="Enabled")
    assert (back.id, back.tags) == (made.id, {"stack": "dev"})
    # Recovery takes nothing else of the request.
    assert back.properties.public_network_access == "Disabled"
    assert back.properties.soft_delete_retention_in_days == 10
    assert back.properties.create_mode is None
    # Neither a vault that is there nor one that never was can be recovered.
    for each in (name, f"{name}x"):
        with pytest.raises(HttpResponseError, match="SoftDeletedVaultDoesNotExist") as refused:
            make(vaults, each, createMode="recover")
        assert refused.value.status_code == 400


def test_purge_protection_forbids_a_purge_and_cannot_be_turned_off(vaults: Any, name: str) -> None:
    make(vaults, name, enablePurgeProtection=True)
    with pytest.raises(HttpResponseError, match="irreversible"):
        make(vaults, name, enablePurgeProtection=False)
    assert make(vaults, name).properties.enable_purge_protection is True
    vaults.delete(GROUP, name)
    assert vaults.get_deleted(name, REGION).properties.purge_protection_enabled is True
    with pytest.raises(HttpResponseError, match="Operation 'DeletedVaultPurge' is not allowed") as refused:
        vaults.begin_purge_deleted(name, REGION).result()
    assert refused.value.status_code == 405


def test_the_retention_of_a_vault_does_not_change(vaults: Any, name: str) -> None:
    make(vaults, name, softDeleteRetentionInDays=7)
    with pytest.raises(HttpResponseError, match="has been set already"):
        make(vaults, name, softDeleteRetentionInDays=8)
    with pytest.raises(HttpResponseError, match="between 7 and 90"):
        make(vaults, f"{name}x", softDeleteRetentionInDays=6)


def test_a_deleted_workspace_keeps_its_name_until_it_is_purged(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "soft-deleted")
    body = workspace_body(made)
    amlite.remove(made.id)
    assert amlite.arm("GET", made.id).status_code == 404
    refused = amlite.arm("PUT", made.id, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "BadRequest")
    assert "Soft-deleted workspace exists. Please purge or recover it." in refused.text
    # The subscription's list has it (azure-powershell#28286), the group's does not.
    workspaces = "/providers/Microsoft.MachineLearningServices/workspaces"
    found = {each["id"]: each for each in amlite.arm("GET", f"{SUBSCRIPTION}{workspaces}").json()["value"]}
    assert found[made.id]["properties"]["provisioningState"] == "SoftDeleted"
    in_group = amlite.arm("GET", f"{SUBSCRIPTION}/resourceGroups/{GROUP}{workspaces}").json()["value"]
    assert made.id not in [each["id"] for each in in_group]
    purge_workspace(made)
    assert amlite.arm("DELETE", made.id, query="&forceToPurge=true").status_code == 204
    amlite.put(made.id, body)


def test_a_workspace_that_is_deleted_permanently_keeps_nothing(amlite: LocalAzure) -> None:
    made = Workspace.create(amlite, "purged-at-once")
    body = workspace_body(made)
    made.client().workspaces.begin_delete(made.name, delete_dependent_resources=False, permanently_delete=True).result()
    amlite.put(made.id, body)


def test_a_workspace_whose_group_is_gone_cannot_be_purged(amlite: LocalAzure) -> None:
    group = f"{SUBSCRIPTION}/resourceGroups/rg-{uuid.uuid4().hex[:8]}"
    path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/none"
    refused = amlite.arm("DELETE", path, query="&forceToPurge=true")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "ResourceGroupNotFound")


def test_names_of_vaults_that_are_taken(vaults: Any, name: str) -> None:
    kind = "Microsoft.KeyVault/vaults"
    assert vaults.check_name_availability({"name": name, "type": kind}).name_available
    make(vaults, name)
    taken = vaults.check_name_availability({"name": name, "type": kind})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    vaults.delete(GROUP, name)
    held = vaults.check_name_availability({"name": name, "type": kind})
    assert (held.name_available, held.reason) == (False, "AlreadyExists")
    assert "recently deleted but not purged" in held.message
    wrong = vaults.check_name_availability({"name": "1kv", "type": kind})
    assert (wrong.name_available, wrong.reason) == (False, "AccountNameInvalid")


def test_names_of_storage_accounts_that_are_taken(amlite: LocalAzure) -> None:
    name = f"st{uuid.uuid4().hex[:10]}"
    body: Any = {"location": REGION, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    asked: Any = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
    with StorageManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as client:
        accounts = client.storage_accounts
        assert accounts.check_name_availability(asked).name_available
        accounts.begin_create(GROUP, name, body).result()
        taken = accounts.check_name_availability(asked)
        assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
        assert taken.message == f"The storage account named {name} is already taken."
        wrong = accounts.check_name_availability({**asked, "name": "St"})
        assert (wrong.name_available, wrong.reason) == (False, "AccountNameInvalid")
        accounts.delete(GROUP, name)
        assert accounts.check_name_availability(asked).name_available


def test_names_of_container_registries_that_are_taken(amlite: LocalAzure) -> None:
    name = f"cr{uuid.uuid4().hex[:10]}"
    asked: Any = {"name": name, "type": "Microsoft.ContainerRegistry/registries"}
    with ContainerRegistryManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as client:
        assert client.registries.check_name_availability(asked).name_available
        client.registries.begin_create(GROUP, name, {"location": REGION, "sku": {"name": "Basic"}}).result()
        taken = client.registries.check_name_availability(asked)
        assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
        assert taken.message == f"The registry {name} is already in use."
        wrong = client.registries.check_name_availability({**asked, "name": "a-b"})
        assert (wrong.name_available, wrong.reason) == (False, "Invalid")


def test_a_subscription_lists_its_resources_of_one_type(amlite: LocalAzure) -> None:
    workspace = Workspace.create(amlite, "listed")
    kind = "Microsoft.MachineLearningServices/workspaces/batchEndpoints"
    name = f"e{uuid.uuid4().hex[:10]}"
    body = {"location": REGION, "properties": {"authMode": "AADToken"}}
    amlite.put(f"{workspace.id}/batchEndpoints/{name}", body)
    asked = amlite.arm(
        "GET", f"{SUBSCRIPTION}/resources", version="2021-04-01", query=f"&$filter=resourceType eq '{kind}'"
    )
    found = {each["id"]: each for each in asked.json()["value"]}
    assert found[f"{workspace.id}/batchEndpoints/{name}"]["name"] == f"listed/{name}"
    assert {each["type"] for each in found.values()} == {kind}
    refused = amlite.arm("GET", f"{SUBSCRIPTION}/resources", version="2021-04-01", query="&$filter=name like 'x'")
    assert refused.json()["error"]["code"] == "InvalidFilterInQueryString"
