"""Who may do what in the whole program, for every shipped stack, as the engine would see it."""

import json
import re
import uuid

import pytest

from infra.components.access import assignment_name
from infra.outputs import parse
from infra.roles.definitions import CI_ROLE, Role
from tests.unit.infra.deployed import DEPLOYER, Deployment, deploy

GROUP = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
# Those of the service connection in Pulumi.prod.yaml.
ORGANISATION, CONNECTION = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "b7d9e1f3-2a4c-4e68-8f0b-5c6d7e8f9a01"


def roles(deployment: Deployment, principal: str) -> set[tuple[str, str]]:
    """What a principal may do: (name of the scope's component and type, role)."""
    return {
        (_place(grant.inputs["scope"]), _role(grant.inputs["roleDefinitionId"]))
        for grant in deployment.of("authorization:RoleAssignment")
        if grant.inputs["principalId"] == principal
    }


def _place(scope: str) -> str:
    """Return the part of a mock id that says what it is: the type, and for an identity its name."""
    kind, name = scope.split("/")[1:3]
    kind = kind.removeprefix("azure-native:")
    return f"{name.rpartition('-')[2]} identity" if kind.endswith("UserAssignedIdentity") else kind


def _role(definition: str) -> str:
    guid = definition.rpartition("/")[2]
    return next((role.title for role in Role if role.value == guid), CI_ROLE.title)


def test_workspace_nodes_and_endpoints_may_do_their_work_and_nothing_else(
    deployments: dict[str, Deployment],
) -> None:
    # how-to-identity-based-service-authentication, how-to-disable-local-auth-storage, concept-endpoints-online-auth
    deployment = deployments["dev"]
    assert roles(deployment, "principal-of-identity-workspace") == {
        ("machinelearningservices:Workspace", "Contributor"),
        ("storage:StorageAccount", "Contributor"),
        ("storage:StorageAccount", "Storage Blob Data Contributor"),
        ("keyvault:Vault", "Contributor"),
        ("keyvault:Vault", "Key Vault Administrator"),
        ("containerregistry:Registry", "Contributor"),
        ("applicationinsights:Component", "Contributor"),
    }
    assert roles(deployment, "principal-of-identity-cluster") == {
        ("storage:StorageAccount", "Storage Blob Data Contributor"),
        ("storage:StorageAccount", "Storage Table Data Contributor"),
        ("storage:StorageAccount", "Storage Queue Data Contributor"),
        ("containerregistry:Registry", "AcrPull"),
    }
    assert roles(deployment, "principal-of-identity-endpoint") == {
        ("storage:StorageAccount", "Storage Blob Data Reader"),
        ("storage:BlobContainer", "Storage Blob Data Contributor"),
        ("containerregistry:Registry", "AcrPull"),
        ("machinelearningservices:Workspace", "AzureML Metrics Writer (preview)"),
    }


def test_the_workspace_approves_the_private_endpoints_of_its_managed_network(
    deployments: dict[str, Deployment],
) -> None:
    """Source: how-to-managed-network."""
    approver = ("resources:ResourceGroup", "Azure AI Enterprise Network Connection Approver")
    granted = {
        stack: approver in roles(deployments[stack], "principal-of-identity-workspace") for stack in ("dev", "prod")
    }
    assert granted == {"dev": False, "prod": True}
    workspace = deployments["prod"].one("machinelearningservices:Workspace")
    assert any(urn.endswith("access-workspace-group-network-connection-approver") for urn in workspace.depends_on)


def test_nodes_that_build_images_may_push_them() -> None:
    """Source: how-to-managed-network, "Configure image builds"."""
    closed = {"azureml-platform:network": json.dumps({"publicAccess": False, "isolation": "AllowInternetOutbound"})}
    assert ("containerregistry:Registry", "AcrPush") in roles(deploy("prod", closed), "principal-of-identity-cluster")


def test_nodes_need_no_tables_and_queues_where_storage_has_keys() -> None:
    """Source: how-to-disable-local-auth-storage: the roles are those of accounts without shared keys."""
    keyed = deploy("dev", {"azureml-platform:storage": json.dumps({"sharedKeyAccess": True})})
    assert roles(keyed, "principal-of-identity-cluster") == {
        ("storage:StorageAccount", "Storage Blob Data Contributor"),
        ("containerregistry:Registry", "AcrPull"),
    }


def test_no_machine_owns_anything_nor_can_assign_roles(deployment: Deployment) -> None:
    for grant in deployment.of("authorization:RoleAssignment"):
        if grant.inputs.get("principalType") == "ServicePrincipal":
            assert not grant.inputs["roleDefinitionId"].endswith(Role.OWNER.value)


CI = {
    ("resources:ResourceGroup", CI_ROLE.title),
    ("storage:StorageAccount", "Storage Blob Data Contributor"),
    ("containerregistry:Registry", "AcrPush"),
    ("cluster identity", "Managed Identity Operator"),
    ("endpoint identity", "Managed Identity Operator"),
}


def test_ci_deploys_assets_and_leaves_identities_alone(deployment: Deployment) -> None:
    """A Contributor could add a federated credential to any identity of the group, and sign in as it."""
    assert roles(deployment, "principal-of-identity-ci") == CI
    role = deployment.one("authorization:RoleDefinition").inputs
    assert role["assignableScopes"] == [role["scope"]]
    (permission,) = role["permissions"]
    assert permission["actions"] == [
        "*/read",
        "Microsoft.MachineLearningServices/workspaces/*",
        "Microsoft.Insights/autoscaleSettings/*",
        "Microsoft.Insights/metricAlerts/*",
    ]


def test_an_existing_service_principal_takes_cis_place() -> None:
    deployment = deploy("dev", {"azureml-platform:identities": json.dumps({"existingServicePrincipal": GROUP})})
    assert roles(deployment, GROUP) == CI
    assert deployment.of("managedidentity:FederatedIdentityCredential") == []
    assert "identity-ci" not in {resource.name for resource in deployment.resources}


@pytest.mark.parametrize("role", ["owners", "contributors", "readers"])
def test_a_group_gets_its_role_and_what_its_work_needs(role: str) -> None:
    deployment = deploy("dev", {"azureml-platform:access": json.dumps({role: [GROUP]})})
    on_group = {"owners": "Owner", "contributors": "Contributor", "readers": "Reader"}[role]
    data = {
        ("storage:StorageAccount", "Storage Blob Data Contributor"),
        ("containerregistry:Registry", "AcrPush"),
    }
    expected = {("resources:ResourceGroup", on_group)} | (set() if role == "readers" else data)
    assert roles(deployment, GROUP) == expected
    kinds = {
        grant.inputs["principalType"]
        for grant in deployment.of("authorization:RoleAssignment")
        if grant.inputs["principalId"] == GROUP
    }
    assert kinds == {"Group"}


def test_the_deployer_gets_data_roles_only_where_the_stack_says_so(deployments: dict[str, Deployment]) -> None:
    assert roles(deployments["local"], DEPLOYER) == {
        ("storage:StorageAccount", "Storage Blob Data Contributor"),
        ("containerregistry:Registry", "AcrPush"),
    }
    assert roles(deployments["dev"], DEPLOYER) == set()


@pytest.mark.parametrize(("deployer", "kind"), [("user", "User"), ("app", "ServicePrincipal")])
def test_a_deployer_is_what_its_token_says(deployer: str, kind: str) -> None:
    """Azure answers UnmatchedPrincipalType for any other type, and azure-native fills in `User`."""
    access = {"azureml-platform:access": json.dumps({"deployer": True})}
    grants = deploy("dev", access, deployer=deployer).of("authorization:RoleAssignment")
    assert {grant.inputs["principalType"] for grant in grants if grant.inputs["principalId"] == DEPLOYER} == {kind}


def test_nothing_is_shared_until_a_registry_is_named(deployment: Deployment) -> None:
    assert deployment.of("machinelearningservices:Registry") == []
    assert parse(deployment.outputs).registry is None


def test_the_stack_that_makes_the_registry_gives_its_identities_a_role_there() -> None:
    settings = {"registry": "mlops-models", "create": True}
    deployment = deploy("prod", {"azureml-platform:sharing": json.dumps(settings)})
    registry = deployment.one("machinelearningservices:Registry")
    assert registry.protect
    assert registry.inputs["registryName"] == "mlops-models"
    (region,) = registry.inputs["regionDetails"]
    assert region["location"] == registry.inputs["location"]
    for who in ("workspace", "cluster", "endpoint", "ci"):
        shared = ("machinelearningservices:Registry", "AzureML Registry User")
        assert shared in roles(deployment, f"principal-of-identity-{who}")
    assert parse(deployment.outputs).registry == "mlops-models"


@pytest.mark.parametrize("group", ["rg-of-dev", None])
def test_a_registry_of_another_stack_is_used_and_not_made(group: str | None) -> None:
    settings = {"registry": "mlops-models"} | ({"resourceGroup": group} if group else {})
    deployment = deploy("prod", {"azureml-platform:sharing": json.dumps(settings)})
    assert deployment.of("machinelearningservices:Registry") == []
    scopes = {
        grant.inputs["scope"]
        for grant in deployment.of("authorization:RoleAssignment")
        if grant.inputs["roleDefinitionId"].endswith(Role.AZUREML_REGISTRY_USER.value)
    }
    ending = "/resourceGroups/rg-of-dev/providers/Microsoft.MachineLearningServices/registries/mlops-models"
    assert [scope.partition("/resourceGroups")[1] + scope.partition("/resourceGroups")[2] for scope in scopes] == (
        [ending] if group else []
    )
    assert parse(deployment.outputs).registry == "mlops-models"


def test_a_registry_in_another_subscription_gives_its_role_there() -> None:
    """Role definitions are listed by subscription: a scope in another one takes the role's id of that one."""
    settings = {"registry": "mlops-models", "resourceGroup": "rg-of-dev", "subscriptionId": GROUP}
    deployment = deploy("prod", {"azureml-platform:sharing": json.dumps(settings)})
    grants = [
        grant.inputs
        for grant in deployment.of("authorization:RoleAssignment")
        if grant.inputs["roleDefinitionId"].endswith(Role.AZUREML_REGISTRY_USER.value)
    ]
    assert len(grants) == 4
    for grant in grants:
        assert grant["scope"].startswith(f"/subscriptions/{GROUP}/resourceGroups/rg-of-dev/")
        assert grant["roleDefinitionId"].startswith(f"/subscriptions/{GROUP}/")


def test_role_assignments_are_named_by_what_they_assign(deployment: Deployment) -> None:
    grants = deployment.of("authorization:RoleAssignment")
    names = [grant.inputs["roleAssignmentName"] for grant in grants]
    assert len(set(names)) == len(names)
    for grant in grants:
        role = grant.inputs["roleDefinitionId"].rpartition("/")[2]
        assert grant.inputs["roleAssignmentName"] == assignment_name(
            grant.inputs["scope"], grant.inputs["principalId"], role
        )
        assert uuid.UUID(grant.inputs["roleAssignmentName"]).version == 5


def test_a_role_assignments_name_does_not_depend_on_letter_case() -> None:
    assert assignment_name("/Scope/A", "ABC", "r") == assignment_name("/scope/a", "abc", "r")
    assert assignment_name("/scope/a", "abc", "r") != assignment_name("/scope/a", "abc", "s")


def test_federated_credentials_trust_exactly_the_configured_pipelines(deployments: dict[str, Deployment]) -> None:
    credentials = deployments["prod"].of("managedidentity:FederatedIdentityCredential")
    assert [(c.inputs["issuer"], c.inputs["subject"], c.inputs["audiences"]) for c in credentials] == [
        (
            "https://token.actions.githubusercontent.com",
            "repo:contoso/flights:environment:prod",
            ["api://AzureADTokenExchange"],
        ),
        (
            "https://login.microsoftonline.com/3f2504e0-4f89-41d3-9a0c-0305e82c3301/v2.0",
            f"/eid1/c/pub/t/4AQlP4lP00GaDAMF6CwzAQ/a/rISbSSETf0KqFyZ8ppdXmA/sc/{ORGANISATION}/{CONNECTION}",
            ["api://AzureADTokenExchange"],
        ),
    ]
    first, second = credentials
    assert first.urn in second.depends_on, "Azure refuses concurrent writes to one identity's credentials"


def test_each_form_of_a_subject_gets_a_credential_of_its_own() -> None:
    """Sources: github/docs, "Immutable subject claims"; Azure DevOps, both issuers of service connections."""
    immutable = f"/eid1/c/pub/t/A_b/a/C-d/sc/{ORGANISATION}/{CONNECTION}"
    settings = {
        "github": [
            {"repository": "octo-org/octo-repo", "branch": "main"},
            {"repository": "octo-org/octo-repo", "ownerId": 123456, "repositoryId": 456789, "branch": "main"},
            {"repository": "octo-org@1/octo-repo@2", "environment": "Production:V1"},
        ],
        "azureDevOps": [
            {"issuer": f"https://vstoken.dev.azure.com/{ORGANISATION}", "subject": "sc://contoso/my flights/azure"},
            {"issuer": f"https://login.microsoftonline.com/{ORGANISATION}/v2.0", "subject": immutable},
        ],
    }
    deployment = deploy("dev", {"azureml-platform:identities": json.dumps(settings)})
    assert {
        each.inputs["federatedIdentityCredentialResourceName"]: each.inputs["subject"]
        for each in deployment.of("managedidentity:FederatedIdentityCredential")
    } == {
        "github-octo-org-octo-repo-main": "repo:octo-org/octo-repo:ref:refs/heads/main",
        "github-octo-org-123456-octo-repo-456789-main": "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main",
        "github-octo-org-1-octo-repo-2-Production-V1": "repo:octo-org@1/octo-repo@2:environment:Production%3AV1",
        "azure-devops-contoso-my-flights-azure": "sc://contoso/my flights/azure",
        f"azure-devops-{CONNECTION}": immutable,
    }


def test_many_long_federated_subjects_stay_distinct_and_within_azures_rule() -> None:
    long = "x" * 100
    github = [{"repository": f"{long}/{long}", "branch": branch} for branch in ("main", "release/1")]
    deployment = deploy("dev", {"azureml-platform:identities": json.dumps({"github": github})})
    names = [
        credential.inputs["federatedIdentityCredentialResourceName"]
        for credential in deployment.of("managedidentity:FederatedIdentityCredential")
    ]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{2,119}", name) for name in names)


def test_roles_hold_before_what_needs_them_and_outlive_it(deployment: Deployment) -> None:
    def assigned_to(identity: str) -> set[str]:
        return {
            grant.urn
            for grant in deployment.of("authorization:RoleAssignment")
            if grant.inputs["principalId"] == f"principal-of-identity-{identity}"
        }

    workspace = deployment.one("machinelearningservices:Workspace")
    on_itself = {urn for urn in assigned_to("workspace") if "$azure-native:" in urn and "::workspace-access-" in urn}
    assert len(on_itself) == 1
    assert assigned_to("workspace") - on_itself <= workspace.depends_on
    assert workspace.error_hooks == {"workspace-waits-for-roles"}
    for cluster in deployment.of("machinelearningservices:Compute"):
        assert assigned_to("cluster") | on_itself <= cluster.depends_on


def test_nothing_signs_in_with_a_key_or_a_password(deployment: Deployment) -> None:
    assert deployment.one("storage:StorageAccount").inputs["allowSharedKeyAccess"] is False
    assert deployment.one("containerregistry:Registry").inputs["adminUserEnabled"] is False
    vault = deployment.one("keyvault:Vault").inputs["properties"]
    assert vault["enableRbacAuthorization"] is True
    assert "accessPolicies" not in vault
    workspace = deployment.one("machinelearningservices:Workspace").inputs
    assert workspace["systemDatastoresAuthMode"] == "Identity"
    assert workspace["primaryUserAssignedIdentity"] in workspace["identity"]["userAssignedIdentities"]
    for cluster in deployment.of("machinelearningservices:Compute"):
        assert cluster.inputs["properties"]["disableLocalAuth"] is True
        assert cluster.inputs["properties"]["properties"]["remoteLoginPortPublicAccess"] == "Disabled"


def test_the_registry_has_an_admin_user_only_by_configuration() -> None:
    changes = {"azureml-platform:registry": json.dumps({"sku": "Premium", "adminUser": True})}
    assert deploy("dev", changes).one("containerregistry:Registry").inputs["adminUserEnabled"] is True
