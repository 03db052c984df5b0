from __future__ import annotations

import time
import uuid

import pytest

from amlite.core.access import ASSIGNMENT_TYPE, ROLES, Access, Principal, Role
from amlite.core.errors import AzureError
from amlite.core.platform import Platform

SUBSCRIPTION = "/subscriptions/s"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a"
WHO = Principal("oid", "app")
READ_BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
WRITE_BLOB = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"


@pytest.fixture
def access(platform: Platform) -> Access:
    return platform.access


def _assign(platform: Platform, role: str, scope: str, principal: str = "OID") -> str:
    definition = next(found.id for found in ROLES.values() if found.name == role)
    id = f"{scope}/providers/{ASSIGNMENT_TYPE}/{uuid.uuid4()}"
    properties = {"principalId": principal, "roleDefinitionId": f"/x/roleDefinitions/{definition}", "scope": scope}
    platform.store.put(id, ASSIGNMENT_TYPE, {"properties": properties})
    return id


def test_nobody_may_anything_by_default(access: Access) -> None:
    assert not access.allowed(WHO, ACCOUNT, "Microsoft.Storage/storageAccounts/read")


@pytest.mark.parametrize(
    ("assigned", "asked", "expected"),
    [
        (SUBSCRIPTION, ACCOUNT, True),
        (GROUP, ACCOUNT, True),
        (GROUP.upper(), ACCOUNT, True),
        (f"{GROUP}/", ACCOUNT, True),
        (ACCOUNT, ACCOUNT, True),
        (ACCOUNT, GROUP, False),
        (f"{SUBSCRIPTION}/resourceGroups/other", ACCOUNT, False),
        (ACCOUNT, f"{ACCOUNT}2", False),
    ],
)
def test_roles_hold_at_their_scope_and_below(platform: Platform, assigned: str, asked: str, expected: bool) -> None:
    _assign(platform, "Reader", assigned)
    assert platform.access.allowed(WHO, asked, "Microsoft.Storage/storageAccounts/read") is expected


@pytest.mark.attack
@pytest.mark.parametrize(("asked", "expected"), [(ACCOUNT, True), (f"{ACCOUNT}/x", True), (f"{ACCOUNT}2", False)])
def test_a_token_that_is_valid_below_one_resource_has_no_role_elsewhere(
    platform: Platform, asked: str, expected: bool
) -> None:
    """A job's token would open what its submitter may read."""
    _assign(platform, "Reader", SUBSCRIPTION)
    who = Principal("oid", "app", scope=ACCOUNT.upper())
    assert platform.access.allowed(who, asked, "Microsoft.Storage/storageAccounts/read") is expected


def test_roles_are_those_of_their_principal(platform: Platform) -> None:
    _assign(platform, "Owner", SUBSCRIPTION, "somebody-else")
    assert not platform.access.allowed(WHO, ACCOUNT, "Microsoft.Storage/storageAccounts/read")


@pytest.mark.parametrize(
    ("role", "action", "data", "expected"),
    [
        ("Reader", "Microsoft.Storage/storageAccounts/write", False, False),
        ("Reader", READ_BLOB, True, False),
        ("Contributor", "microsoft.storage/storageaccounts/WRITE", False, True),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", False, False),
        ("Contributor", "Microsoft.Authorization/roleAssignments/read", False, True),
        ("Contributor", READ_BLOB, True, False),
        ("Owner", "Microsoft.Authorization/roleAssignments/write", False, True),
        ("Owner", WRITE_BLOB, True, False),
        ("User Access Administrator", "Microsoft.Authorization/roleAssignments/write", False, True),
        ("User Access Administrator", "Microsoft.Storage/storageAccounts/write", False, False),
        ("Storage Blob Data Reader", READ_BLOB, True, True),
        ("Storage Blob Data Reader", WRITE_BLOB, True, False),
        ("Storage Blob Data Reader", READ_BLOB, False, False),
        ("Storage Blob Data Contributor", WRITE_BLOB, True, True),
        ("AzureML Data Scientist", "Microsoft.MachineLearningServices/workspaces/jobs/write", False, True),
        ("AzureML Data Scientist", "Microsoft.MachineLearningServices/workspaces/write", False, False),
        ("AzureML Data Scientist", "Microsoft.MachineLearningServices/workspaces/listKeys/action", False, False),
        ("Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", False, True),
        ("Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentities/write", False, False),
        ("AcrPull", "Microsoft.ContainerRegistry/registries/push/write", False, False),
    ],
)
def test_built_in_roles(platform: Platform, role: str, action: str, data: bool, expected: bool) -> None:
    _assign(platform, role, GROUP)
    assert platform.access.allowed(WHO, ACCOUNT, action, data=data) is expected


def test_a_change_holds_at_once(platform: Platform) -> None:
    id = _assign(platform, "Reader", GROUP)
    platform.access.require(WHO, ACCOUNT, "Microsoft.Storage/storageAccounts/read")
    platform.store.delete(id)
    with pytest.raises(AzureError) as refused:
        platform.access.require(WHO, ACCOUNT, "Microsoft.Storage/storageAccounts/read")
    assert (refused.value.status, refused.value.code) == (403, "AuthorizationFailed")
    assert "'app' with object id 'oid'" in refused.value.message
    assert ACCOUNT in refused.value.message


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "a/b/read", True),
        ("*/read", "a/b/READ", True),
        ("*/read", "a/b/read/action", False),
        ("a/*/read", "a/b/c/read", True),
        ("a/*/read", "a/read", True),
        ("a/*b*/read", "a/cbd/read", True),
        ("a/*b*/read", "a/c/read", False),
        ("ab*ba", "aba", False),
        ("a/[b]/read", "a/b/read", False),
        ("a/?/read", "a/b/read", False),
        ("a/b", "a/b", True),
    ],
)
def test_a_star_in_an_action_stands_for_any_text(pattern: str, action: str, expected: bool) -> None:
    assert Role("id", "name", actions=[pattern]).permits(action, data=False) is expected


@pytest.mark.attack
def test_a_role_with_many_actions_is_checked_at_once() -> None:
    role = Role("id", "name", actions=[f"a/{each}/b*c/read" for each in range(100_000)])
    began = time.process_time()
    assert not role.permits("a/b/write", data=False)
    assert time.process_time() - began < 5
