"""Roles as they are enforced: a second principal may do what it was assigned, where it was, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jwt
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import Permission, RoleAssignmentCreateParameters, RoleDefinition
from azure.mgmt.resource.resources import ResourceManagementClient

from amlite import ENTRA_GROUP_ID, SUBSCRIPTION_ID
from amlite.core import runtime
from amlite.core.access import ROLES, Principal
from amlite.core.platform import Platform
from amlite.core.processes import Children
from amlite.core.store import Store
from amlite.services.managedidentity import identities
from amlite.testing import LocalAzure
from amlite.testing.local_azure import ARM, LocalAzureError
from amlite_fixtures.azure import GROUP, GROUP_ID, SUBSCRIPTION

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

NOBODY = str(uuid.uuid4())
_API = "2022-04-01"


def _definition(role: str) -> str:
    id = next(found.id for found in ROLES.values() if found.name == role)
    return f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{id}"


def _claims(credential: TokenCredential) -> dict[str, str]:
    token = credential.get_token(f"{ARM}/.default").token
    return dict(jwt.decode(token, options={"verify_signature": False}))


def _wanted(role: str, principal: str, kind: str | None) -> RoleAssignmentCreateParameters:
    return RoleAssignmentCreateParameters(
        role_definition_id=_definition(role), principal_id=principal, principal_type=kind
    )


@pytest.fixture
def authorization(amlite: LocalAzure) -> Iterator[AuthorizationManagementClient]:
    with AuthorizationManagementClient(amlite.credential, SUBSCRIPTION_ID) as client:
        yield client


def _groups(credential: TokenCredential) -> ResourceManagementClient:
    return ResourceManagementClient(credential, SUBSCRIPTION_ID, retry_total=0)


def test_without_a_role_nothing_is_allowed(amlite: LocalAzure) -> None:
    with _groups(amlite.application()) as client, pytest.raises(HttpResponseError) as refused:
        client.resource_groups.get(GROUP)
    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.code == "AuthorizationFailed"
    assert "Microsoft.Resources/subscriptions/resourceGroups/read" in refused.value.error.message


def test_reader_reads_and_does_not_write(amlite: LocalAzure) -> None:
    with _groups(amlite.application(("Reader", GROUP_ID))) as client:
        assert client.resource_groups.get(GROUP).name == GROUP
        with pytest.raises(HttpResponseError, match="resourceGroups/write"):
            client.resource_groups.create_or_update(GROUP, {"location": "westeurope"})
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            client.resource_groups.begin_delete(GROUP)
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            client.resource_groups.get("another")


def test_contributor_of_one_group_sees_its_operations_through(amlite: LocalAzure) -> None:
    name = f"rg-{uuid.uuid4().hex[:8]}"
    with _groups(amlite.credential) as owner:
        owner.resource_groups.create_or_update(name, {"location": "westeurope"})
    scope = f"{SUBSCRIPTION}/resourceGroups/{name}"
    contributor = amlite.application(("Contributor", scope))
    with _groups(contributor) as client:
        path = f"{scope}/providers/Microsoft.OperationalInsights/workspaces/log-{name}"
        created = client.resources.begin_create_or_update_by_id(
            path, {"location": "westeurope"}, api_version="2023-09-01"
        ).result()
        assert created.name == f"log-{name}"
        client.resources.begin_delete_by_id(path, api_version="2023-09-01").result()
        client.resource_groups.begin_delete(name).result()


def test_contributor_assigns_no_roles(amlite: LocalAzure) -> None:
    contributor = amlite.application(("Contributor", GROUP_ID))
    with AuthorizationManagementClient(contributor, SUBSCRIPTION_ID) as client:
        wanted = RoleAssignmentCreateParameters(role_definition_id=_definition("Owner"), principal_id=NOBODY)
        with pytest.raises(HttpResponseError, match="roleAssignments/write"):
            client.role_assignments.create(GROUP_ID, str(uuid.uuid4()), wanted)


def test_assignment_by_its_client(amlite: LocalAzure, authorization: AuthorizationManagementClient) -> None:
    principal = str(uuid.uuid4())
    wanted = RoleAssignmentCreateParameters(
        role_definition_id=_definition("Reader"), principal_id=principal, principal_type="ServicePrincipal"
    )
    name = str(uuid.uuid4())
    created = authorization.role_assignments.create(GROUP_ID, name, wanted)
    assert (created.scope, created.principal_id) == (GROUP_ID, principal)
    with pytest.raises(ResourceExistsError, match="RoleAssignmentExists"):
        authorization.role_assignments.create(GROUP_ID, str(uuid.uuid4()), wanted)
    assert authorization.role_assignments.get(GROUP_ID, name).id == created.id
    authorization.role_assignments.delete(GROUP_ID, name)
    with pytest.raises(ResourceNotFoundError):
        authorization.role_assignments.get(GROUP_ID, name)


@pytest.mark.parametrize("wrong", ["User", "ServicePrincipal"])
def test_a_role_assignment_names_the_type_of_its_principal(
    amlite: LocalAzure, authorization: AuthorizationManagementClient, wrong: str
) -> None:
    """The text is Azure's, with its spelling: Azure/modern-web-app-pattern-dotnet#129."""
    kind, other = ("ServicePrincipal", "User") if wrong == "User" else ("User", "ServicePrincipal")
    object_id = amlite.user().object_id
    if kind == "ServicePrincipal":
        path = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{uuid.uuid4().hex[:8]}"
        object_id = amlite.put(path, {"location": "westeurope"}, "2023-01-31")["properties"]["principalId"]
    with pytest.raises(HttpResponseError) as refused:
        authorization.role_assignments.create(GROUP_ID, str(uuid.uuid4()), _wanted("Reader", object_id, other))
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "UnmatchedPrincipalType"
    assert refused.value.error.message == (
        f"The PrincipalId '{uuid.UUID(object_id).hex}' has type '{kind}' , which is different from specified "
        f"PrinciaplType '{wrong}'."
    )
    found = authorization.role_assignments.create(GROUP_ID, str(uuid.uuid4()), _wanted("Reader", object_id, None))
    assert found.principal_type == kind


def test_an_unknown_principal_needs_a_type(authorization: AuthorizationManagementClient) -> None:
    """Source: "Troubleshoot Azure RBAC", "Assigning a role to a new principal sometimes fails"."""
    with pytest.raises(HttpResponseError, match="PrincipalNotFound"):
        authorization.role_assignments.create(GROUP_ID, str(uuid.uuid4()), _wanted("Reader", NOBODY, None))
    assert authorization.role_assignments.create(GROUP_ID, str(uuid.uuid4()), _wanted("Reader", NOBODY, "Group"))


def test_a_user_acts_with_its_roles(amlite: LocalAzure) -> None:
    user = amlite.user(("Reader", GROUP_ID))
    with _groups(user) as client:
        assert client.resource_groups.get(GROUP).name == GROUP
        with pytest.raises(HttpResponseError, match=f"The client '{user.name}' with object id '{user.object_id}'"):
            client.resource_groups.begin_delete(GROUP)
    claims = _claims(user)
    assert (claims["idtyp"], claims["oid"]) == ("user", user.object_id)
    assert claims["sub"] != claims["oid"]


def test_a_role_assignment_takes_effect_later(amlite: LocalAzure) -> None:
    """Source: "Troubleshoot Azure RBAC": changes take up to 10 minutes to take effect."""
    amlite.add_fault("PUT */roleAssignments/*", "role-delay")
    reader = amlite.application(("Reader", GROUP_ID))
    with _groups(reader) as client:
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            client.resource_groups.get(GROUP)
        amlite.advance(599)
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            client.resource_groups.get(GROUP)
        amlite.advance(2)
        assert client.resource_groups.get(GROUP).name == GROUP


def test_permissions_and_assignments_of_a_caller(
    amlite: LocalAzure, authorization: AuthorizationManagementClient
) -> None:
    """Source: azure-rest-api-specs, authorization-PermissionsCalls.json and authorization-RoleAssignmentsCalls.json."""
    user = amlite.user(("Reader", GROUP_ID), ("Storage Blob Data Contributor", GROUP_ID))
    with AuthorizationManagementClient(user, SUBSCRIPTION_ID) as client:
        permissions = list(client.permissions.list_for_resource_group(GROUP))
    assert permissions[0].actions == ["*/read"]
    assert permissions[1].data_actions == ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"]
    path = f"{GROUP_ID}/providers/Microsoft.OperationalInsights/workspaces/log-{uuid.uuid4().hex[:8]}"
    amlite.put(path, {"location": "westeurope"}, "2023-09-01")

    def assigned(scope: str, narrowed: str) -> set[str]:
        found = authorization.role_assignments.list_for_scope(scope, filter=narrowed)
        return {str(each.role_definition_id) for each in found if each.principal_id == user.object_id}

    both = {_definition("Reader"), _definition("Storage Blob Data Contributor")}
    assert assigned(path, f"principalId eq '{user.object_id}'") == both
    assert assigned(path, f"atScope() and assignedTo('{user.object_id}')") == both
    assert assigned(SUBSCRIPTION, f"principalId eq '{user.object_id}'") == both, "those below the scope are listed"
    assert assigned(SUBSCRIPTION, "atScope()") == set()
    assert assigned(path, f"assignedTo('{NOBODY}')") == set()


def test_a_custom_role_grants_what_it_lists(amlite: LocalAzure, authorization: AuthorizationManagementClient) -> None:
    """Source: "Azure custom roles" and "Troubleshoot Azure RBAC"."""
    name = str(uuid.uuid4())
    wanted = RoleDefinition(
        role_name=f"reader of groups {name}",
        role_type="CustomRole",
        permissions=[Permission(actions=["*/read"], not_actions=["Microsoft.Storage/*"])],
        assignable_scopes=[GROUP_ID],
    )
    created = authorization.role_definitions.create_or_update(GROUP_ID, name, wanted)
    assert created.id == f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{name}"
    assert name in {found.name for found in authorization.role_definitions.list(GROUP_ID)}
    who = amlite.application()
    grant = authorization.role_assignments.create(
        GROUP_ID,
        str(uuid.uuid4()),
        RoleAssignmentCreateParameters(
            role_definition_id=created.id, principal_id=_claims(who)["oid"], principal_type="ServicePrincipal"
        ),
    )
    with _groups(who) as client:
        assert client.resource_groups.get(GROUP).name == GROUP
    account = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/none"
    assert "Microsoft.Storage/storageAccounts/read" in amlite.arm("GET", account, credential=who).text
    with pytest.raises(HttpResponseError, match="RoleDefinitionHasAssignments"):
        authorization.role_definitions.delete(GROUP_ID, name)
    twin = RoleDefinition(**{**wanted.as_dict(), "role_name": "Reader"})
    with pytest.raises(HttpResponseError, match="RoleDefinitionWithSameNameExists"):
        authorization.role_definitions.create_or_update(GROUP_ID, str(uuid.uuid4()), twin)
    authorization.role_assignments.delete_by_id(str(grant.id))
    authorization.role_definitions.delete(GROUP_ID, name)
    with pytest.raises(HttpResponseError, match="RoleDefinitionDoesNotExist"):
        authorization.role_assignments.create(
            GROUP_ID,
            str(uuid.uuid4()),
            RoleAssignmentCreateParameters(
                role_definition_id=created.id, principal_id=NOBODY, principal_type="ServicePrincipal"
            ),
        )


@pytest.mark.attack
def test_a_custom_role_is_read_by_those_who_may_read_where_it_can_be_assigned(amlite: LocalAzure) -> None:
    name = str(uuid.uuid4())
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{name}"
    properties = {
        "roleName": f"secret {name}",
        "permissions": [{"actions": ["*/read"]}],
        "assignableScopes": [GROUP_ID],
    }
    assert amlite.arm("PUT", f"{GROUP_ID}{definition}", {"properties": properties}, _API).status_code == 201
    other = f"{SUBSCRIPTION}/resourceGroups/rg-{name[:8]}"
    amlite.put(other, {"location": "westeurope"}, "2021-04-01")
    reader = amlite.application(("Reader", other))
    for place in (GROUP_ID, SUBSCRIPTION, other, "/x", ""):
        answer = amlite.arm("GET", f"{place}{definition}", version=_API, credential=reader)
        assert answer.status_code in (400, 403, 404), place
        assert "secret" not in answer.text
    assert amlite.arm("GET", f"{GROUP_ID}{definition}", version=_API).json()["name"] == name
    assert amlite.arm("DELETE", f"{GROUP_ID}{definition}", version=_API).status_code == 200


def test_an_identity_is_assigned_by_those_who_may(amlite: LocalAzure) -> None:
    """ARM checks linked scopes: who makes a resource act as an identity needs Managed Identity Operator on it."""
    name = uuid.uuid4().hex[:8]
    identity = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{name}"
    amlite.put(identity, {"location": "westeurope"}, "2023-01-31")
    workspace = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/workspaces/mlw-{name}"
    body = {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        "properties": {},
    }
    administrator = amlite.application(("Azure AI Administrator", GROUP_ID))
    refused = amlite.arm("PUT", workspace, body, credential=administrator).json()["error"]
    assert refused["code"] == "LinkedAuthorizationFailed"
    assert (
        "'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s)" in refused["message"]
    )
    amlite.assign("Managed Identity Operator", identity, _claims(administrator)["oid"])
    assert amlite.arm("PUT", workspace, body, credential=administrator).json()["error"]["code"] == "ValidationError"


@dataclass
class Identity:
    """A user-assigned identity and the environment of a process that acts as it."""

    azure: LocalAzure
    path: str
    object_id: str
    environment: dict[str, str]

    def read_group(self) -> str:
        """Read the group by an unmodified DefaultAzureCredential in such a process; return the code of its outcome."""
        code = (
            "import os\n"
            "from azure.core.exceptions import HttpResponseError\n"
            "from azure.identity import DefaultAzureCredential\n"
            "from azure.mgmt.resource.resources import ResourceManagementClient\n"
            "credential = DefaultAzureCredential(managed_identity_client_id=os.environ['DEFAULT_IDENTITY_CLIENT_ID'])\n"
            f"client = ResourceManagementClient(credential, '{SUBSCRIPTION_ID}')\n"
            "try:\n"
            f"    print(client.resource_groups.get('{GROUP}').name)\n"
            "except HttpResponseError as error:\n"
            "    print(error.error.code)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def identity(amlite: LocalAzure) -> Identity:
    path = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{uuid.uuid4().hex[:8]}"
    properties = amlite.put(path, {"location": "westeurope"}, "2023-01-31")["properties"]
    principal = Principal(properties["principalId"], properties["clientId"])
    store = Store(amlite.state / "amlite.db")
    variables = identities.environment(Platform(amlite.state, store, Children(amlite.state)), principal, path)
    store.close()
    running = runtime.read(amlite.state)
    assert running is not None
    kept = {k: v for k, v in running.environment.items() if not k.startswith(("AZURE_", "ARM_"))}
    return Identity(amlite, path, principal.object_id, {"PATH": "/usr/bin:/bin", **kept, **variables})


def test_managed_identity_acts_with_its_own_roles(identity: Identity) -> None:
    assert identity.read_group() == "AuthorizationFailed"
    identity.azure.assign("Reader", GROUP_ID, identity.object_id)
    assert identity.read_group() == GROUP


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("wrong", "resource=https://management.azure.com", 401),
        (None, "resource=https://management.azure.com", 401),
        ("right", "", 400),
        ("right", "resource=https://management.azure.com&client_id=another", 400),
    ],
)
def test_managed_identity_endpoint_refuses(identity: Identity, header: str | None, query: str, status: int) -> None:
    secret = {"right": identity.environment["IDENTITY_HEADER"], "wrong": "x"}.get(header or "")
    answer = identity.azure.session.get(
        f"{identity.environment['IDENTITY_ENDPOINT']}?api-version=2019-08-01&{query}",
        headers={"X-IDENTITY-HEADER": secret} if secret else {},
    )
    assert answer.status_code == status, json.dumps(answer.json())
    # MSAL, and with it azure-identity and `az`, shows these two.
    assert (answer.json()["statusCode"], bool(answer.json()["message"])) == (status, True)


def test_a_role_of_a_group_is_one_of_its_members(
    amlite: LocalAzure, authorization: AuthorizationManagementClient
) -> None:
    """Who runs `amlite run` is the member of the group. Microsoft's page: "Understand Azure role assignments"."""

    def data_actions() -> set[str]:
        found = authorization.permissions.list_for_resource_group(GROUP)
        return {action for permission in found for action in permission.data_actions or []}

    blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"
    assert blobs not in data_actions()  # an Owner has no data actions
    with pytest.raises(LocalAzureError, match="UnmatchedPrincipalType"):
        amlite.assign("Storage Blob Data Contributor", GROUP_ID, ENTRA_GROUP_ID, "User")
    amlite.assign("Storage Blob Data Contributor", GROUP_ID, ENTRA_GROUP_ID, "Group")
    try:
        assert blobs in data_actions()
    finally:
        for each in authorization.role_assignments.list_for_resource_group(GROUP):
            if each.principal_id == ENTRA_GROUP_ID:
                authorization.role_assignments.delete_by_id(each.id)
    assert blobs not in data_actions()


@pytest.mark.attack
def test_an_identity_that_was_deleted_signs_nobody_in(identity: Identity) -> None:
    """Its role assignments stay, so that a process that keeps its variables would have them for ever."""
    address = "https://identity.amlite.internal/msi/token?resource=https://management.azure.com"
    headers = {"X-IDENTITY-HEADER": identity.environment["IDENTITY_HEADER"]}
    assert identity.azure.session.get(address, headers=headers).status_code == 200
    identity.azure.remove(identity.path, "2023-01-31")
    assert identity.azure.session.get(address, headers=headers).status_code == 401
