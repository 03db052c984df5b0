"""Names that Azure holds, looked up and freed in amlite by the requests that a user's stack sends."""

from __future__ import annotations

import uuid

import pytest

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.azure import GROUP_ID, REGISTRY, REGISTRY_ID, SUBSCRIPTION, Json
from infra import azure_names

VAULTS = "Microsoft.KeyVault/vaults"
WORKSPACES = "Microsoft.MachineLearningServices/workspaces"


def in_group(group: str, kind: str, name: str) -> str:
    return f"{group}/providers/{kind}/{name}"


def vault(azure: LocalAzure, **properties: object) -> str:
    """Make a key vault and delete it again; return its id."""
    id = in_group(GROUP_ID, VAULTS, f"kv{uuid.uuid4().hex[:10]}")
    sku = {"name": "standard", "family": "A"}
    body: Json = {"location": "westeurope", "tags": {"stack": "dev"}, "properties": {"tenantId": TENANT_ID, "sku": sku}}
    body["properties"] |= properties
    azure.put(id, body, "2023-07-01")
    azure.remove(id)
    return id


def deleted_vault(id: str) -> azure_names.DeletedVault | None:
    return next((each for each in azure_names.deleted_vaults(SUBSCRIPTION_ID) if each.id == id), None)


def deleted_workspace(id: str) -> azure_names.DeletedWorkspace | None:
    return next((each for each in azure_names.deleted_workspaces(SUBSCRIPTION_ID) if each.id == id), None)


def test_a_soft_deleted_vault_is_found_and_purged(amlite: LocalAzure, signed_in_anew: None) -> None:
    id = vault(amlite, softDeleteRetentionInDays=7)
    found = deleted_vault(id)
    assert found is not None
    assert (found.name, found.location, found.tags) == (id.rpartition("/")[2], "westeurope", {"stack": "dev"})
    assert (found.purge_protection, len(found.purge_date)) == (False, len("2026-12-05"))
    found.purge()
    assert deleted_vault(id) is None
    assert azure_names.unavailable(id) is None


def test_purge_protection_is_seen(amlite: LocalAzure, signed_in_anew: None) -> None:
    found = deleted_vault(vault(amlite, enablePurgeProtection=True))
    assert found is not None
    assert found.purge_protection is True


def test_a_workspace_is_deleted_for_good(amlite: LocalAzure, signed_in_anew: None) -> None:
    made = Workspace.create(amlite, "for-good")
    azure_names.purge_workspace(made.id)
    assert deleted_workspace(made.id) is None
    assert amlite.arm("GET", made.id).status_code == 404
    azure_names.purge_workspace(made.id)  # what is gone stays gone


@pytest.mark.parametrize("group_is_there", [True, False])
def test_a_soft_deleted_workspace_is_purged_in_its_group_or_in_one_that_is_made_for_it(
    amlite: LocalAzure, signed_in_anew: None, group_is_there: bool
) -> None:
    group = f"rg-{uuid.uuid4().hex[:8]}"
    group_id = f"{SUBSCRIPTION}/resourceGroups/{group}"
    amlite.put(group_id, {"location": "westeurope"}, "2021-04-01")
    parts = amlite.arm("GET", Workspace.create(amlite, "parts").id).json()["properties"]
    kept = ("storageAccount", "keyVault", "applicationInsights", "containerRegistry")
    body = {"location": "westeurope", "properties": {key: parts[key] for key in kept}}
    id = in_group(group_id, WORKSPACES, "soft")
    amlite.put(id, body)
    amlite.remove(id if group_is_there else group_id)
    assert deleted_workspace(id) is not None
    with azure_names.resource_group(id, "westeurope"):
        azure_names.purge_workspace(id)
    assert deleted_workspace(id) is None
    assert amlite.arm("GET", group_id, version="2021-04-01").status_code == (200 if group_is_there else 404)


def test_a_name_is_unavailable_to_all_but_its_owner(amlite: LocalAzure, signed_in_anew: None) -> None:
    kind, name = "Microsoft.Storage/storageAccounts", f"st{uuid.uuid4().hex[:10]}"
    id = in_group(GROUP_ID, kind, name)
    assert azure_names.unavailable(id) is None
    amlite.put(id, {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, "2024-01-01")
    assert azure_names.unavailable(id) is None
    other = in_group(f"{SUBSCRIPTION}/resourceGroups/other", kind, name)
    assert azure_names.unavailable(other) == f"The storage account named {name} is already taken."


def test_a_registry_is_found_by_its_name_alone(registry: object, signed_in_anew: None) -> None:
    assert azure_names.registry_id(REGISTRY, "westeurope") == REGISTRY_ID
    assert azure_names.registry_id("no-such-registry", "westeurope") is None
