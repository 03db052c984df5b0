"""The whole program, for every shipped stack, as the engine would see it."""

import json
import re
import uuid
from typing import Any

import pytest

from infra.components.access import assignment_name
from infra.outputs import parse
from infra.roles.definitions import CI_ROLE, Role
from infra.settings.configuration import ConfigurationError
from tests.unit.infra.deployed import DEPLOYER, DIGEST, Deployment, Registered, deploy
from tests.unit.infra.stack_files import ROOT, STACKS

GROUP = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
# Those of the service connection in Pulumi.prod.yaml.
ORGANISATION, CONNECTION = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "b7d9e1f3-2a4c-4e68-8f0b-5c6d7e8f9a01"
HOLDS_DATA = {
    "azure-native:resources:ResourceGroup",
    "azure-native:operationalinsights:Workspace",
    "azure-native:storage:StorageAccount",
    "azure-native:keyvault:Vault",
    "azure-native:containerregistry:Registry",
    "azure-native:machinelearningservices:Workspace",
}
CANNOT_CARRY_TAGS = {
    "azure-native:authorization:RoleDefinition",
    "azure-native:authorization:RoleAssignment",
    "azure-native:managedidentity:FederatedIdentityCredential",
    "azure-native:machinelearningservices:ManagedNetworkSettingsRule",
}
# The property that holds each resource's name in Azure. Where it is left out, the engine makes up a random name, and a
# resource could be replaced by its twin without anybody having asked for it.
PHYSICAL_NAME = {
    "resources:ResourceGroup": "resourceGroupName",
    "operationalinsights:Workspace": "workspaceName",
    "applicationinsights:Component": "resourceName",
    "storage:StorageAccount": "accountName",
    "keyvault:Vault": "vaultName",
    "containerregistry:Registry": "registryName",
    "managedidentity:UserAssignedIdentity": "resourceName",
    "managedidentity:FederatedIdentityCredential": "federatedIdentityCredentialResourceName",
    "machinelearningservices:Workspace": "workspaceName",
    "machinelearningservices:Compute": "computeName",
    "machinelearningservices:ManagedNetworkSettingsRule": "ruleName",
    "machinelearningservices:Registry": "registryName",
    "authorization:RoleAssignment": "roleAssignmentName",
    "authorization:RoleDefinition": "roleDefinitionId",
}


@pytest.fixture(scope="module")
def deployments() -> dict[str, Deployment]:
    return {stack: deploy(stack) for stack in STACKS}


@pytest.fixture(params=STACKS)
def deployment(request: pytest.FixtureRequest, deployments: dict[str, Deployment]) -> Deployment:
    return deployments[request.param]


def azure_native(deployment: Deployment) -> list[Registered]:
    return [resource for resource in deployment.resources if resource.type.startswith("azure-native:")]


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


def test_the_engine_deletes_before_it_creates_a_replacement_of_the_same_id(deployment: Deployment) -> None:
    fixed = [each for each in deployment.resources if each.type.startswith(("azure-native:", "pulumi-python:dynamic"))]
    assert [each.name for each in fixed if not each.delete_before_replace] == []


def test_another_size_priority_or_network_replaces_a_cluster(deployment: Deployment) -> None:
    """Azure accepts the former two for an existing cluster, and applies neither. Isolated clusters are created anew."""
    fixed = tuple(f"properties.properties.{name}" for name in ("vmSize", "vmPriority", "enableNodePublicIp"))
    for cluster in deployment.of("machinelearningservices:Compute"):
        assert cluster.replace_on_changes == fixed


def test_every_resource_has_its_name_from_the_configuration(deployment: Deployment) -> None:
    unnamed = [
        resource.name
        for resource in azure_native(deployment)
        if not resource.inputs.get(PHYSICAL_NAME[resource.type.removeprefix("azure-native:")])
    ]
    assert unnamed == []


def test_every_resource_that_can_carries_the_tags(deployment: Deployment) -> None:
    tagged = [resource for resource in azure_native(deployment) if resource.type not in CANNOT_CARRY_TAGS]
    assert len(tagged) >= 12
    for resource in tagged:
        assert resource.inputs["tags"]["project"] == "azureml-platform", resource.name
        assert resource.inputs["tags"]["stack"] in STACKS


def test_every_resource_is_in_the_configured_region(deployment: Deployment) -> None:
    regions = {resource.inputs.get("location") for resource in azure_native(deployment)} - {None}
    assert regions == {"westeurope"}


def test_what_holds_data_is_protected_in_production_alone(deployments: dict[str, Deployment]) -> None:
    protected = {
        stack: {resource.type for resource in deployment.resources if resource.protect}
        for stack, deployment in deployments.items()
    }
    assert protected == {"local": set(), "dev": set(), "staging": set(), "prod": HOLDS_DATA}


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


def test_a_registrys_model_is_what_the_endpoint_deploys() -> None:
    reference = "azureml://registries/mlops-models/models/flight-delay/versions/7"
    deployment = deploy(
        "prod",
        {
            "azureml-platform:sharing": json.dumps({"registry": "mlops-models"}),
            "azureml-platform:models": json.dumps({"flight-delay": reference}),
        },
    )
    (endpoint,) = (each for each in deployment.resources if each.name == "endpoint-flight-delay")
    assert endpoint.inputs["deployment"]["definition"]["model"] == reference
    promoted = parse(deployment.outputs).models["flight-delay"]
    assert (promoted.name, promoted.version, promoted.registry) == ("flight-delay", "7", "mlops-models")


def test_the_outputs_say_how_the_job_of_a_pipeline_ended_that_the_stack_runs(deployment: Deployment) -> None:
    assert parse(deployment.outputs).jobs == {}
    ran = deploy("prod", {"azureml-platform:assets": json.dumps({"run": ["training"]})})
    (job,) = parse(ran.outputs).jobs.values()
    assert (job.name, job.status, job.metrics, job.model) == ("training-1", "Completed", {"evaluate.auc": 0.9}, None)


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


def test_storage_is_private_and_encrypted_in_transit(deployment: Deployment) -> None:
    account = deployment.one("storage:StorageAccount").inputs
    assert account["minimumTlsVersion"] == "TLS1_2"
    assert account["enableHttpsTrafficOnly"] is True
    assert account["allowBlobPublicAccess"] is False


def test_purge_protection_is_on_or_absent(deployments: dict[str, Deployment]) -> None:
    vaults = {stack: d.one("keyvault:Vault").inputs["properties"] for stack, d in deployments.items()}
    assert vaults["prod"]["enablePurgeProtection"] is True
    assert "enablePurgeProtection" not in vaults["dev"], "Azure refuses an explicit false"


def test_a_cluster_scales_from_zero_as_configured(deployments: dict[str, Deployment]) -> None:
    properties = deployments["prod"].one("machinelearningservices:Compute").inputs["properties"]["properties"]
    assert properties["vmSize"] == "Standard_DS4_v2"
    assert properties["vmPriority"] == "Dedicated"
    assert properties["scaleSettings"] == {
        "minNodeCount": 0,
        "maxNodeCount": 8,
        "nodeIdleTimeBeforeScaleDown": "PT5M",
    }


@pytest.mark.parametrize(
    ("key", "change", "touched"),
    [
        ("compute", [{"name": "cpu-cluster", "vmSize": "Standard_DS3_v2", "maxNodes": 9}], {"compute-cpu-cluster"}),
        ("retention", {"logDays": 60}, {"monitoring-logs"}),
        ("workspace", {"description": "other"}, {"workspace"}),
    ],
)
def test_a_setting_touches_only_its_own_resource_and_never_its_identity(
    key: str, change: Any, touched: set[str], deployments: dict[str, Deployment]
) -> None:
    before = {resource.urn: resource for resource in deployments["dev"].resources}
    after = {r.urn: r for r in deploy("dev", {f"azureml-platform:{key}": json.dumps(change)}).resources}
    assert set(before) == set(after), "a setting must not add or remove resources"
    differing = {after[urn].name for urn in before if before[urn].inputs != after[urn].inputs}
    assert differing == touched
    for urn, resource in before.items():
        identity = ("location", "resourceGroupName", PHYSICAL_NAME.get(resource.type.removeprefix("azure-native:"), ""))
        assert [resource.inputs.get(part) for part in identity] == [after[urn].inputs.get(part) for part in identity]


def test_a_closed_network_closes_everything() -> None:
    network = {
        "publicAccess": False,
        "allowedIpRanges": ["203.0.113.0/24"],
        "isolation": "AllowOnlyApprovedOutbound",
        "outbound": {"hosts": ["packages.contoso.com"]},
    }
    deployment = deploy("prod", {"azureml-platform:network": json.dumps(network)})
    workspace = deployment.one("machinelearningservices:Workspace").inputs
    storage = deployment.one("storage:StorageAccount").inputs
    registry = deployment.one("containerregistry:Registry").inputs
    vault = deployment.one("keyvault:Vault").inputs["properties"]
    exposed = [holder["publicNetworkAccess"] for holder in (workspace, storage, registry, vault)]
    assert exposed == ["Disabled"] * 4
    assert storage["networkRuleSet"]["defaultAction"] == "Deny"
    assert storage["networkRuleSet"]["ipRules"][0]["iPAddressOrRange"] == "203.0.113.0/24"
    assert registry["networkRuleSet"]["defaultAction"] == "Deny"
    assert vault["networkAcls"]["defaultAction"] == "Deny"
    assert workspace["managedNetwork"]["isolationMode"] == "AllowOnlyApprovedOutbound"
    assert workspace["imageBuildCompute"] == "cpu-cluster", "Azure's own builders cannot reach a closed registry"


def test_only_a_premium_registry_is_given_a_firewall(deployments: dict[str, Deployment]) -> None:
    assert "networkRuleSet" not in deployments["dev"].one("containerregistry:Registry").inputs
    assert deployments["prod"].one("containerregistry:Registry").inputs["networkRuleSet"]["defaultAction"] == "Allow"


def test_the_outputs_keep_their_contract_and_hold_no_secret(deployment: Deployment) -> None:
    outputs = parse(deployment.outputs)
    assert outputs.workspace_id.endswith(outputs.workspace)
    assert outputs.compute == ["cpu-cluster"]
    assert deployment.secret_outputs == set()


def test_the_training_image_is_built_and_known_by_digest(deployments: dict[str, Deployment]) -> None:
    outputs = parse(deployments["dev"].outputs)
    assert outputs.environment_image is not None
    assert re.fullmatch(rf"{outputs.login_server}/[a-z/]+@{DIGEST}", outputs.environment_image)


def test_where_the_stack_builds_no_image_there_is_none() -> None:
    deployment = deploy("dev", {"azureml-platform:image": '{"build": false}'})
    assert not [resource for resource in deployment.resources if resource.type.startswith("docker:")]
    assert parse(deployment.outputs).environment_image is None


def test_the_outputs_name_every_planned_asset(deployments: dict[str, Deployment]) -> None:
    outputs = parse(deployments["dev"].outputs)
    assert {"environment", "data", "component"} <= set(outputs.assets)
    assert {"prep", "train", "evaluate", "register"} <= set(outputs.assets["component"])
    assert [len(schedule.trigger.split()) for schedule in outputs.schedules.values()] == [5]


def test_the_endpoint_gets_the_configured_rollout() -> None:
    rules = {"minInstances": 2, "maxInstances": 4, "latencyMs": 200}
    checks = {"maxErrorPercent": 1, "command": ["./check"]}
    rollout = {"steps": [10, 100], "bakeSeconds": 600, "checks": checks, "autoscale": {"flight-delay": rules}}
    deployment = deploy("dev", {"azureml-platform:rollout": json.dumps(rollout)})
    (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
    assert endpoint.inputs["autoscale"] == {"min_instances": 2, "max_instances": 4, "latency_ms": 200}
    how = endpoint.inputs["rollout"]
    assert (how["steps"], how["bake_seconds"], how["checks"]["command"]) == ([10, 100], 600, ["./check"])
    assert (how["checks"]["max_error_percent"], how["checks"]["when_quiet"]) == (1, "fail")


def test_an_endpoint_has_a_name_of_its_own_in_the_region(deployments: dict[str, Deployment]) -> None:
    """The key in files, resource names and outputs is the name in the YAML. Azure has the name by the rule."""
    for stack, deployment in deployments.items():
        (endpoint,) = [each for each in deployment.resources if each.name == "endpoint-flight-delay"]
        name = endpoint.inputs["name"]
        assert re.fullmatch(rf"flight-delay-{stack}-[a-z2-7]{{5}}", name)
        assert endpoint.inputs["definition"]["name"] == "flight-delay"
        assert parse(deployment.outputs).endpoints["flight-delay"].name == name


def test_a_stack_of_an_earlier_version_keeps_the_names_of_its_endpoints() -> None:
    naming = {"namespace": "mlops", "workspace": "flights", "postfix": "001"}
    kept = naming | {"endpoints": {"flight-delay": "flight-delay"}}
    deployment = deploy("dev", {"azureml-platform:naming": json.dumps(kept)})
    assert parse(deployment.outputs).endpoints["flight-delay"].name == "flight-delay"
    with pytest.raises(ConfigurationError, match="did you mean flight-delay"):
        deploy("dev", {"azureml-platform:naming": json.dumps(naming | {"endpoints": {"flight-dely": "flights"}})})


@pytest.mark.parametrize("name", ["ab", "flight_delay", "flight-delay-", "f" * 33])
def test_a_preview_refuses_a_name_that_no_endpoint_can_have(name: str) -> None:
    naming = {"namespace": "mlops", "workspace": "flights", "postfix": "001", "endpoints": {"flight-delay": name}}
    with pytest.raises(ConfigurationError) as error:
        deploy("dev", {"azureml-platform:naming": json.dumps(naming)})
    assert "azureml-platform:naming.endpoints.flight-delay is not a valid endpoint name; use 3 to 32" in str(
        error.value
    )


def test_the_promoted_model_is_an_output() -> None:
    models = {"flight-delay": {"name": "flight-delay", "version": 7}}
    deployment = deploy("dev", {"azureml-platform:models": json.dumps(models)})
    assert parse(deployment.outputs).models["flight-delay"].version == "7"


def test_a_preview_stops_at_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="azureml-platform:protct is not a setting; did you mean protect"):
        deploy("dev", {"azureml-platform:protct": "true"}, preview=True)


def test_a_preview_registers_what_an_update_does(deployments: dict[str, Deployment]) -> None:
    preview = {resource.urn for resource in deploy("dev", preview=True).resources}
    assert preview == {resource.urn for resource in deployments["dev"].resources}


def test_the_program_knows_no_cloud_but_azure() -> None:
    forbidden = re.compile(r"amlite|localhost|127\.0\.0\.1|emulator|azurite", re.IGNORECASE)
    files = [ROOT / "__main__.py", *(path for path in ROOT.glob("Pulumi*.yaml") if path.name != "Pulumi.local.yaml")]
    for folder in ("infra", "ml", "pipelines", "release"):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".yml", ".yaml", ".json"}]
    assert len(files) > 40
    assert [str(path) for path in files if forbidden.search(path.read_text(encoding="utf-8"))] == []
