"""Roles under the real engine: what waits for them, and what the CI identity can reach with its own."""

from __future__ import annotations

import shlex
import uuid
from typing import Any

from azure.identity import ClientAssertionCredential

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.testing import LocalAzure
from azureml_fixtures.engine import GROUP, WORKSPACE, Make
from tests.e2e.conftest import Platform

GROUPS = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups"
IDENTITIES = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
IDENTITY_VERSION = "2023-01-31"
PROGRAM = """
import uuid

import pulumi
from pulumi_azure_native import authorization, machinelearningservices as ml, managedidentity

from infra.roles.definitions import Role
from infra.roles.propagation import waits_for_roles

group, subscription, parts = {group!r}, {subscription!r}, {parts!r}
identity = managedidentity.UserAssignedIdentity("identity", resource_group_name=group, location="westeurope")
roles = f"/subscriptions/{{subscription}}/providers/Microsoft.Authorization/roleDefinitions"
granted = [
    authorization.RoleAssignment(
        f"role-{{name}}",
        scope=scope,
        role_assignment_name=str(uuid.uuid4()),
        principal_id=identity.principal_id,
        principal_type="ServicePrincipal",
        role_definition_id=f"{{roles}}/{{Role.CONTRIBUTOR.value}}",
    )
    for name, scope in parts.items()
]
ml.Workspace(
    "workspace",
    workspace_name={name!r},
    resource_group_name=group,
    location="westeurope",
    identity=ml.ManagedServiceIdentityArgs(type="UserAssigned", user_assigned_identities=[identity.id]),
    primary_user_assigned_identity=identity.id,
    storage_account=parts["storageAccount"],
    key_vault=parts["keyVault"],
    application_insights=parts["applicationInsights"],
    opts=pulumi.ResourceOptions(depends_on=granted, hooks=waits_for_roles("workspace")),
)
"""


def test_a_workspace_waits_for_the_roles_of_its_identity(make: Make, azure: LocalAzure) -> None:
    """A role assignment that is created is not in effect yet: "Troubleshoot Azure RBAC"."""
    project = make()
    own = azure.arm("GET", f"{GROUPS}/{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE}")
    parts = {name: own.json()["properties"][name] for name in ("storageAccount", "keyVault", "applicationInsights")}
    name = f"mlw-{project.tag}"
    program = PROGRAM.format(group=GROUP, subscription=SUBSCRIPTION_ID, parts=parts, name=name)
    project.write("__main__.py", program)
    azure.add_fault("PUT */roleAssignments/*", "role-delay", rate=1, seconds=3)
    try:
        printed = project.up()
    finally:
        azure.clear_faults()
    assert "waiting until role assignments are in effect (AuthorizationFailed). Next attempt in 5 s." in printed
    assert "6 created" in printed
    project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "test")


def test_ci_deploys_assets_and_reaches_no_identity(platform: Platform) -> None:
    """A Contributor of the group could sign in as any identity in it, by a federated credential of its own."""
    platform.run(".venv/bin/amlite start")  # another test may have stopped it
    azure, group = LocalAzure(platform.clone.state), f"{GROUPS}/rg-mlops-flights-local-001"
    identities = {
        who: f"{group}/{IDENTITIES}/id-mlops-flights-local-001-{who}" for who in ("ci", "workspace", "endpoint")
    }
    client = azure.arm("GET", identities["ci"], version=IDENTITY_VERSION).json()["properties"]["clientId"]
    job = azure.ci_job("github", "repo:contoso/flights:environment:local")

    component = platform.clone.root / "ml" / "evaluate" / "src" / "evaluate.py"
    before = component.read_text("utf-8")
    component.write_text(f"# {uuid.uuid4()}\n{before}", "utf-8")
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in {**job, "ARM_CLIENT_ID": client}.items())
    unset = "-u AZURE_CLIENT_SECRET -u ARM_CLIENT_SECRET -u AZURE_TOKEN_CREDENTIALS"
    up = "pulumi up --yes --skip-preview --non-interactive -s local --target '**component-evaluate'"
    printed = platform.local(f"env {unset} {variables} release ci-login -- {up}")
    component.write_text(before, "utf-8")
    assert "1 updated" in printed
    sent = azure.requests("components/evaluate")[-1]
    assert sent["status"] < 300, sent
    platform.local("pulumi up --yes --skip-preview --non-interactive -s local")

    def assertion() -> str:
        answer = azure.session.get(
            f"{job['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=api://AzureADTokenExchange",
            headers={"Authorization": f"Bearer {job['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
        )
        return str(answer.json()["value"])

    options = {"proxies": azure.session.proxies, "connection_verify": azure.session.verify}
    with ClientAssertionCredential(TENANT_ID, client, assertion, **options) as ci:

        def refusal(path: str, body: dict[str, Any], version: str = "2024-04-01") -> str:
            return str(azure.arm("PUT", path, body, version, credential=ci).json()["error"]["code"])

        trust = {"issuer": "https://example.org", "subject": "me", "audiences": ["api://AzureADTokenExchange"]}
        for identity in identities.values():
            path = f"{identity}/federatedIdentityCredentials/mine"
            assert refusal(path, {"properties": trust}, IDENTITY_VERSION) == "AuthorizationFailed"
        role = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        assert refusal(role, {"properties": {}}, "2022-04-01") == "AuthorizationFailed"
        workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/mlw-mlops-flights-local-001"
        found = azure.arm("GET", workspace, credential=ci)
        assert found.status_code == 200
        assert refusal(workspace, found.json()) == "AuthorizationFailed"
        endpoint = f"{workspace}/onlineEndpoints/ci-{uuid.uuid4().hex[:8]}"
        for who, expected in (("workspace", "LinkedAuthorizationFailed"), ("endpoint", None)):
            body = {
                "location": "westeurope",
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {identities[who]: {}}},
                "properties": {"authMode": "Key"},
            }
            answer = azure.arm("PUT", endpoint, body, credential=ci)
            assert answer.json().get("error", {}).get("code") == expected, answer.text
        azure.finish(answer)
        azure.remove(endpoint)
