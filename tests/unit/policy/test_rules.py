"""Every rule, with a resource that breaks it and one that fits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from policy.environments import Environment
from policy.rule import Scene
from policy.rules import RULES
from policy.subject import CONFIGURATION, UNKNOWN, Place, Resource

STORAGE = "azure-native:storage:StorageAccount"
REGISTRY = "azure-native:containerregistry:Registry"
VAULT = "azure-native:keyvault:Vault"
WORKSPACE = "azure-native:machinelearningservices:Workspace"
COMPUTE = "azure-native:machinelearningservices:Compute"
ENDPOINT = "azureml:OnlineEndpoint"
ENVIRONMENT = "azureml:Environment"
GITHUB = "https://token.actions.githubusercontent.com"
ROLES = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions"
KEY = "A" * 86 + "=="


def cluster(**properties: Any) -> dict[str, Any]:
    return {"properties": {"properties": properties}}


def scale(**settings: Any) -> dict[str, Any]:
    return cluster(scaleSettings=settings)


def serving(**definition: Any) -> dict[str, Any]:
    return {"deployment": {"definition": definition}}


def conda(*dependencies: Any) -> dict[str, Any]:
    return {"definition": {"conda_file": {"dependencies": list(dependencies)}}}


def built(dockerfile: str) -> dict[str, Any]:
    return {"definition": {"build": {"path": "image", "dockerfile_path": dockerfile}}}


# rule, type, inputs that break it, inputs that fit
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("public-network-access", STORAGE, {"publicNetworkAccess": "Enabled"}, {"publicNetworkAccess": "Disabled"}),
    ("public-network-access", STORAGE, {}, {"networkRuleSet": {"defaultAction": "Deny"}}),
    (
        "public-network-access", VAULT, {"properties": {"publicNetworkAccess": "Enabled"}},
        {"properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Deny"}}},
    ),
    ("public-network-access", WORKSPACE, {"publicNetworkAccess": "Enabled"}, {"publicNetworkAccess": UNKNOWN}),
    ("public-network-access", ENDPOINT, {"definition": {}}, {"definition": {"public_network_access": "disabled"}}),
    ("managed-network", WORKSPACE, {}, {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}}),
    ("managed-network", WORKSPACE, {"managedNetwork": {"isolationMode": "Disabled"}}, {"managedNetwork": UNKNOWN}),
    ("node-public-ip", COMPUTE, cluster(), cluster(enableNodePublicIp=False)),
    (
        "node-remote-login", COMPUTE, cluster(remoteLoginPortPublicAccess="Enabled"),
        cluster(remoteLoginPortPublicAccess="Disabled"),
    ),
    ("storage-transport", STORAGE, {"minimumTlsVersion": "TLS1_0"}, {"minimumTlsVersion": "TLS1_2"}),
    (
        "storage-transport", STORAGE, {"minimumTlsVersion": "TLS1_2", "enableHttpsTrafficOnly": False},
        {"minimumTlsVersion": "TLS1_3", "enableHttpsTrafficOnly": True},
    ),
    ("registry-admin-user", REGISTRY, {"adminUserEnabled": True}, {"adminUserEnabled": False}),
    ("registry-anonymous-pull", REGISTRY, {"anonymousPullEnabled": True}, {}),
    ("storage-shared-key", STORAGE, {}, {"allowSharedKeyAccess": False}),
    ("storage-public-blobs", STORAGE, {"allowBlobPublicAccess": True}, {"allowBlobPublicAccess": False}),
    ("vault-roles", VAULT, {"properties": {}}, {"properties": {"enableRbacAuthorization": True}}),
    ("compute-local-auth", COMPUTE, {"properties": {}}, {"properties": {"disableLocalAuth": True}}),
    (
        "workspace-datastores", WORKSPACE, {"systemDatastoresAuthMode": "AccessKey"},
        {"systemDatastoresAuthMode": "Identity"},
    ),
    (
        "datastore-credentials", "azureml:Datastore", {"definition": {"credentials": {"account_key": "x"}}},
        {"definition": {}},
    ),
    (
        "privileged-role", "azure-native:authorization:RoleAssignment",
        {"roleDefinitionId": f"{ROLES}/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalType": "ServicePrincipal"},
        {"roleDefinitionId": f"{ROLES}/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalType": "Group"},
    ),
    (
        "ci-environment", "azure-native:managedidentity:FederatedIdentityCredential",
        {"issuer": GITHUB, "subject": "repo:contoso/flights:pull_request"},
        {"issuer": GITHUB, "subject": "repo:contoso/flights:environment:prod"},
    ),
    ("vault-soft-delete", VAULT, {"properties": {"enableSoftDelete": False}}, {"properties": {}}),
    (
        "vault-retention", VAULT, {"properties": {"softDeleteRetentionInDays": 7}},
        {"properties": {"softDeleteRetentionInDays": 90}},
    ),
    ("vault-purge-protection", VAULT, {"properties": {}}, {"properties": {"enablePurgeProtection": True}}),
    ("storage-redundancy", STORAGE, {"sku": {"name": "Standard_LRS"}}, {"sku": {"name": "Standard_ZRS"}}),
    ("storage-replication", STORAGE, {"allowCrossTenantReplication": True}, {"allowCrossTenantReplication": False}),
    ("log-retention", "azure-native:operationalinsights:Workspace", {}, {"retentionInDays": 90}),
    ("required-tags", STORAGE, {"tags": {"project": "p"}}, {"tags": {"project": "p", "stack": "dev"}}),
    ("required-tags", VAULT, {}, {"tags": UNKNOWN}),
    ("idle-nodes", COMPUTE, scale(minNodeCount=1), scale(minNodeCount=0)),
    ("idle-time", COMPUTE, scale(nodeIdleTimeBeforeScaleDown="PT2H"), scale(nodeIdleTimeBeforeScaleDown="PT30M")),
    ("cluster-size", COMPUTE, scale(maxNodeCount=21), scale(maxNodeCount=20)),
    ("machine-size", COMPUTE, cluster(vmSize="Standard_NC24ads_A100_v4"), cluster(vmSize="STANDARD_DS3_V2")),
    ("machine-size", ENDPOINT, serving(instance_type="Standard_M128s"), serving(instance_type="Standard_F4s_v2")),
    ("deployment-size", ENDPOINT, serving(instance_count=21), serving(instance_count=3)),
    ("evictable-nodes", COMPUTE, cluster(vmPriority="LowPriority"), cluster(vmPriority="Dedicated")),
    ("pinned-image", ENVIRONMENT, {"definition": {"image": "mcr.io/base"}}, {"definition": {"image": "base:1.2"}}),
    (
        "pinned-image", ENVIRONMENT, {"definition": {"image": "localhost:5000/base:latest"}},
        {"definition": {"image": "localhost:5000/base@sha256:0"}},
    ),
    ("pinned-image", ENVIRONMENT, built("Floating"), built("Pinned")),
    ("pinned-packages", ENVIRONMENT, conda("python=3", "numpy"), conda("python=3.11", "pip", {"pip": ["numpy==2.4"]})),
    ("pinned-packages", ENVIRONMENT, conda({"pip": ["numpy>=2"]}), conda({"pip": ["-r requirements.txt", "uv"]})),
    (
        "pinned-packages", ENVIRONMENT, {"definition": {"conda_file": "image/conda.yml"}},
        {"definition": {"conda_file": "image/missing.yml"}},
    ),
    (
        "pinned-packages", ENVIRONMENT, {"files": {"image/requirements.txt": "hash"}},
        {"files": {"image/requirements-locked.txt": "hash", "image/requirements.in": "hash"}},
    ),
    ("pinned-reference", ENDPOINT, serving(model="azureml:delays@latest"), serving(model="azureml:delays:7")),
    (
        "pinned-reference", "azureml:BatchDeployment",
        {"definition": {"environment": "azureml://registries/azureml/environments/sklearn/labels/latest"}},
        {"definition": {"environment": "azureml://registries/azureml/environments/sklearn/versions/3"}},
    ),
    ("endpoint-auth", ENDPOINT, {"definition": {"auth_mode": "none"}}, {"definition": {"auth_mode": "aad_token"}}),
    ("endpoint-entra-auth", ENDPOINT, {"definition": {}}, {"definition": {"auth_mode": "aad_token"}}),
    ("endpoint-instances", ENDPOINT, serving(instance_count=1), serving(instance_count=2)),
    ("endpoint-instances", ENDPOINT, serving(model="azureml:delays:7"), {"definition": {}}),
    ("endpoint-canary", ENDPOINT, {"rollout": {"steps": [100]}}, {"rollout": {"steps": [10, 100]}}),
    ("plain-secret", CONFIGURATION, {"app:dbPassword": "hunter2hunter2"}, {"app:dbPassword": "[secret]"}),
    ("plain-secret", CONFIGURATION, {"app:storage": {"text": f"AccountKey={KEY};"}}, {"azureml-platform:keyVault": {}}),
    ("plain-secret", CONFIGURATION, {"app:api_key": ["0a1b2c3d4e"]}, {"app:storage": {"sharedKeyAccess": "true"}}),
    (
        "plain-secret", ENDPOINT, serving(environment_variables={"API_TOKEN": "0a1b2c3d4e"}),
        serving(environment_variables={"API_TOKEN": "https://vault.vault.azure.net/secrets/token", "TOKEN_URL": "https://a"}),
    ),
    (
        "plain-secret", "azureml:Component", {"definition": {"command": "azcopy https://a/b?sv=1&sig=abcdefghijklmnopqrstuvwxyz"}},
        {"definition": {"command": "python train.py --token ${{inputs.token}}"}},
    ),
]  # fmt: skip

FILES = {
    "Floating": "FROM --platform=linux/amd64 mcr.microsoft.com/base AS build\nFROM build\n",
    "Pinned": "ARG TAG=1\nFROM mcr.microsoft.com/base:$TAG AS build\nFROM build\nFROM scratch\nFROM base@sha256:0\n",
    "conda.yml": "dependencies: [python=3.11, {pip: [pandas]}]\n",
    "requirements.txt": "# our packages\nnumpy==2.4.6\npandas  # the newest\n",
    "requirements-locked.txt": "numpy==2.4.6 \\\n    --hash=sha256:0\n-r other.txt\nlib @ file:///lib.whl\n",
}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "image").mkdir()
    for name, text in FILES.items():
        (tmp_path / "image" / name).write_text(text)
    return Scene(Place("dev", tmp_path), Environment(stacks=["*"]))


def problems(rule: str, resource: Resource, scene: Scene) -> list[str]:
    assert resource.type in RULES[rule].types
    return list(RULES[rule].check(resource, scene))


@pytest.mark.parametrize(("rule", "type_", "breaks", "fits"), CASES)
def test_a_rule_finds_what_breaks_it_and_nothing_else(
    rule: str, type_: str, breaks: dict[str, Any], fits: dict[str, Any], scene: Scene
) -> None:
    assert len(problems(rule, Resource(type_, "broken", breaks), scene)) == 1
    assert problems(rule, Resource(type_, "fitting", fits), scene) == []


def test_a_resource_that_holds_data_is_protected(scene: Scene) -> None:
    assert problems("protected", Resource(STORAGE, "storage"), scene) == ["the resource is not protected from deletion"]
    assert problems("protected", Resource(STORAGE, "storage", protected=True), scene) == []


def test_a_resource_has_a_diagnostic_setting_that_sends_to_log_analytics(scene: Scene) -> None:
    vault = Resource(VAULT, "vault", {"vaultName": "kv-flights"})

    def found(**setting: Any) -> list[str]:
        given = Resource("azure-native:monitor:DiagnosticSetting", "logs", setting)
        return problems("diagnostic-settings", vault, dataclasses.replace(scene, resources=[vault, given]))

    there = {"workspaceId": "/subscriptions/s/workspaces/log"}
    assert problems("diagnostic-settings", vault, scene) == ["no diagnostic setting sends its logs"]
    assert found(resourceUri="/subscriptions/s/vaults/other", **there) == ["no diagnostic setting sends its logs"]
    elsewhere = ["its diagnostic setting does not send to Log Analytics"]
    assert found(resourceUri="/subscriptions/s/vaults/KV-flights", storageAccountId="/a") == elsewhere
    assert found(resourceUri="/subscriptions/s/vaults/KV-flights", **there) == []
    assert found(resourceUri="/subscriptions/s/vaults/KV-flights", workspaceId=UNKNOWN) == []
    # Before the first update, the id of the resource is not known.
    assert found(resourceUri=UNKNOWN) == []


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, *_ in CASES} | {"protected", "diagnostic-settings"} == set(RULES)


def test_every_type_of_every_rule_can_be_empty_or_unknown(scene: Scene) -> None:
    """A preview may know nothing of a resource but its name."""
    for rule in RULES.values():
        for type_ in rule.types:
            for inputs in (
                {},
                dict.fromkeys(("properties", "definition", "deployment", "tags", "files", "sku"), UNKNOWN),
            ):
                list(rule.check(Resource(type_, "new", inputs), scene))


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0c2VjcmV0",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "-----BEGIN PRIVATE KEY-----",
        "abc8Q~" + "x" * 34,
        "ghp_" + "a1" * 18,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlc2ln",
    ],
)
def test_a_secret_is_found_by_its_form_and_not_repeated(secret: str, scene: Scene) -> None:
    (problem,) = problems("plain-secret", Resource(CONFIGURATION, "Pulumi.dev.yaml", {"app:text": secret}), scene)
    assert problem.startswith("app:text is a")
    assert secret[:30] not in problem


@pytest.mark.parametrize(
    "harmless",
    ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "Standard_DS3_v2", "PT15M", "a=b", ""],
)
def test_other_values_are_not_secrets(harmless: str, scene: Scene) -> None:
    assert problems("plain-secret", Resource(CONFIGURATION, "Pulumi.dev.yaml", {"app:text": harmless}), scene) == []
