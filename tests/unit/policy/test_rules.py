"""Every rule, with a resource that breaks it and one that fits."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policy.environments import Environment
from policy.examination import Policy
from policy.rule import Scene
from policy.rules import RULES
from policy.subject import CONFIGURATION, SECRET, UNKNOWN, Place, Resource, short_type

STORAGE = "azure-native:storage:StorageAccount"
REGISTRY = "azure-native:containerregistry:Registry"
VAULT = "azure-native:keyvault:Vault"
WORKSPACE = "azure-native:machinelearningservices:Workspace"
COMPUTE = "azure-native:machinelearningservices:Compute"
ENDPOINT = "azureml:OnlineEndpoint"
ENVIRONMENT = "azureml:Environment"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"
FEDERATED = "azure-native:managedidentity:FederatedIdentityCredential"
GITHUB = "https://token.actions.githubusercontent.com"
ROLES = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions"
KEY = "A" * 86 + "=="
BYPASSING = {
    "Argument": "ARG BASE=base:latest\nFROM $BASE\n",
    "Tag": "ARG TAG=latest\nFROM base:${TAG}\n",
    "Default": "ARG TAG\nFROM base:${TAG:-latest}\n",
    "Copied": "FROM base:1\nCOPY --from=other:latest /a /b\n",
    "Mounted": "FROM base:1\nRUN --mount=type=bind,from=other:latest true\n",
    "Continued": "FROM \\\n  base:latest\n",
    "Frontend": "# syntax=evil/frontend:latest\nFROM base:1\n",
    "Marked": "\ufeffFROM base:latest\n",
    "Named": "FROM base:1 AS a\nFROM a\nFROM base:latest AS a\n",
}
"""Dockerfiles with an image that moves."""
FLOATING = {
    "FloatingPip": "FROM base:1\nRUN pip install numpy\n",
    "FloatingRange": "FROM base:1\nRUN pip3 install --no-cache-dir 'numpy>=2' scipy==1.16\n",
    "FloatingModule": "FROM base:1\nRUN python3 -m pip --quiet install -U numpy && true\n",
    "FloatingUv": "FROM base:1\nRUN apt-get update; uv pip install --system numpy\n",
    "FloatingList": 'FROM base:1\nRUN ["/opt/bin/pip", "install", "numpy"]\n',
    "FloatingShell": "FROM base:1\nRUN bash -c 'set -e; pip install numpy'\n",
    "FloatingScript": "FROM base:1\nRUN <<EOF\npip install numpy\nEOF\n",
    "FloatingLines": "FROM base:1\nRUN true && \\\n  # comment\n  pip install \\\n  numpy \\\n  scipy==1.16\n",
    "FloatingMount": "FROM base:1\nRUN --mount=type=cache,target=/root/.cache pip install numpy\n",
    "FloatingVariable": "FROM base:1\nARG WANTED='numpy scipy==1.16'\nRUN pip install $WANTED\n",
    "FloatingCommit": "FROM base:1\nRUN pip install git+https://host/lib@main\n",
    "FloatingEditable": "FROM base:1\nRUN pip install -e git+https://host/lib#egg=lib\n",
    "FloatingFile": "FROM base:1\nCOPY wanted.txt /tmp/\nRUN pip install -r /tmp/wanted.txt\n",
    "FloatingConda": "FROM base:1\nRUN conda install -y -c conda-forge numpy python=3.11\n",
    "FloatingEnvironment": "FROM base:1\nRUN micromamba create -n here 'numpy>2'\n",
    "FloatingRedirect": "FROM base:1\nRUN pip install numpy>=2\n",
    "FloatingAfter": "FROM base:1\nRUN pip install scipy==1.16 >/dev/null numpy\n",
}
"""Dockerfiles with a command that installs one package without a version."""
FIXED = (
    "FROM base:1\nARG UV=0.13.8\nENV NUMPY 2.4\n"
    "RUN python3 -m pip install --no-cache-dir uv==$UV 'numpy[all]==${NUMPY}' -i https://host/simple pip && rm -r /a\n"
    "RUN uv pip install --no-cache -r /tmp/requirements.lock ./lib /tmp/lib.whl dist/*.whl . > /dev/null 2>&1\n"
    "RUN pip install git+https://host/lib@" + "a" * 40 + " $GIVEN scipy==$VERSION \"a==1; python_version > '3'\"\n"
    "RUN conda install -y -n base --file env.txt numpy=2.4 conda-forge::pip && pip download numpy\n"
    'RUN apt-get install -y python3-pip && echo "pip installs numpy"\nCMD pip install numpy\n'
)


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

# rule, type, inputs with which somebody would get around the rule
BYPASSES: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (
            "public-network-access",
            STORAGE,
            {"networkRuleSet": {"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": each, "action": "Allow"}]}},
        )
        for each in ("0.0.0.0/0", "128.0.0.0/1", "::/0")
    ),
    (
        "public-network-access",
        VAULT,
        {"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "0.0.0.0/1"}]}}},
    ),
    ("public-network-access", ENDPOINT, {"definition": {"public_network_access": " Enabled"}}),
    # Azure opens the port of a cluster outside a network.
    ("node-remote-login", COMPUTE, cluster(remoteLoginPortPublicAccess="NotSpecified")),
    ("node-remote-login", COMPUTE, cluster(enableNodePublicIp=True)),
    (
        "node-remote-login",
        COMPUTE,
        {
            "properties": {
                "computeType": "ComputeInstance",
                "properties": {"sshSettings": {"sshPublicAccess": "Enabled"}},
            }
        },
    ),
    ("storage-transport", STORAGE, {"minimumTlsVersion": "tls1_0"}),
    # Azure takes a boolean and a number as text, and a word in any case.
    ("storage-transport", STORAGE, {"minimumTlsVersion": "TLS1_2", "enableHttpsTrafficOnly": "false"}),
    ("storage-public-blobs", STORAGE, {"allowBlobPublicAccess": "true"}),
    ("storage-replication", STORAGE, {"allowCrossTenantReplication": "True"}),
    ("registry-admin-user", REGISTRY, {"adminUserEnabled": "true"}),
    ("registry-anonymous-pull", REGISTRY, {"anonymousPullEnabled": 1}),
    ("vault-soft-delete", VAULT, {"properties": {"enableSoftDelete": "False"}}),
    ("vault-retention", VAULT, {"properties": {"softDeleteRetentionInDays": "7"}}),
    ("managed-network", WORKSPACE, {"managedNetwork": {"isolationMode": "disabled"}}),
    ("node-remote-login", COMPUTE, {"properties": {"computeType": "amlCompute", "properties": {}}}),
    ("node-remote-login", COMPUTE, cluster(sshSettings={"sshPublicAccess": "enabled"}, enableNodePublicIp=False)),
    ("node-remote-login", COMPUTE, cluster(remoteLoginPortPublicAccess="enabled", enableNodePublicIp=False)),
    ("idle-nodes", COMPUTE, scale(minNodeCount="1")),
    ("cluster-size", COMPUTE, scale(maxNodeCount="100")),
    ("cluster-size", "azureml:Component", {"definition": {"resources": {"instance_count": "100"}}}),
    ("deployment-size", ENDPOINT, serving(instance_count="500")),
    ("evictable-nodes", COMPUTE, cluster(vmPriority="lowpriority")),
    *(
        ("privileged-role", ASSIGNMENT, {"roleDefinitionId": f"{ROLES}/{role}", **holder})
        for role, holder in (
            ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", {}),
            ("8E3AF657-a8ff-443c-a75c-2fe8c4bcb635/", {"principalType": "ServicePrincipal"}),
            ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", {"principalType": "User"}),
            ("8b54135c-b56d-4d72-a534-26097cfdc8d8", {"principalType": "ServicePrincipal"}),
        )
    ),
    *(
        ("privileged-role", "azure-native:authorization:RoleDefinition", {"permissions": [permission]})
        for permission in (
            {"actions": ["*"], "notActions": ["Microsoft.Authorization/roleDefinitions/*"]},
            {"actions": ["microsoft.authorization/roleassignments/WRITE"]},
        )
    ),
    *(
        ("ci-environment", FEDERATED, {"issuer": issuer, "subject": "repo:contoso/flights:pull_request"})
        for issuer in (
            f"{GITHUB}/contoso",
            "https://TOKEN.actions.githubusercontent.com",
            "https://git.contoso.com/_services/token",
        )
    ),
    ("machine-size", "azureml:Component", {"definition": {"resources": {"instance_type": "Standard_ND96asr_v4"}}}),
    (
        "machine-size",
        "azureml:PipelineJob",
        {"definition": {"jobs": {"a": {"resources": {"instance_type": "standard_nc6"}}}}},
    ),
    ("cluster-size", "azureml:Schedule", {"definition": {"create_job": {"resources": {"instance_count": 100}}}}),
    ("deployment-size", ENDPOINT, {"autoscale": {"max_instances": 500}}),
    ("deployment-size", ENDPOINT, serving(scale_settings={"type": "target_utilization", "max_instances": 500})),
    *(
        ("pinned-image", ENVIRONMENT, {"definition": {"image": image}})
        for image in ("base:LATEST", "base@latest", "base:stable", "base:latest-gpu", "base:main", "a.io:5000/base")
    ),
    *(("pinned-image", ENVIRONMENT, built(name)) for name in BYPASSING),
    *(
        ("pinned-packages", ENVIRONMENT, conda(line))
        for line in (
            "numpy>=1.0",
            "numpy=*",
            "numpy !=1",
            "numpy=1|2",
            "numpy[version='>=1']",
            "forge::numpy>1",
            "numpy<=2",
        )
    ),
    *(
        ("pinned-packages", ENVIRONMENT, conda({"pip": [line]}))
        for line in (
            "numpy; python_version == '3.11'",
            "numpy==1.*",
            "numpy\t# ==1",
            "lib @ git+https://host/lib@main",
            "-e git+https://host/lib@main",
            "-r https://host/requirements.txt",
        )
    ),
    ("pinned-packages", ENVIRONMENT, {"files": {"image/requirements-nested.txt": "hash"}}),
    ("pinned-packages", ENVIRONMENT, {"definition": {"conda_file": "image/conda-nested.yml"}}),
    *(("pinned-packages", ENVIRONMENT, {**built(name), "files": {"image/wanted.txt": "hash"}}) for name in FLOATING),
    ("pinned-reference", ENDPOINT, serving(model="azureml:delays@latest ")),
    ("pinned-reference", ENDPOINT, serving(model="azureml:delays@production")),
    ("pinned-reference", ENDPOINT, serving(model="azureml://registries/r/models/delays/labels/production")),
    ("pinned-reference", "azureml:Component", {"definition": {"jobs": {"a": {"component": "azureml:train@latest"}}}}),
    *(
        ("plain-secret", ENDPOINT, serving(environment_variables={key: value}))
        for key, value in (
            ("DB_PASSWORD", "azureml:hunter22"),
            ("DB_PASSWORD", 12345678),
            ("DB_PASSWORD", "${{a}}hunter${{b}}"),
            ("DB_PASSWORD", "https://v.vault.azure.net/hunter2"),
            ("DB_PASS", "hunter2hunter2"),
            ("api.key", "hunter2hunter2"),
            ("MY_SECRET_1", "hunter2hunter2"),
            ("PASSPHRASE", "hunter2hunter2"),
            ("PASSWORDS", "hunter2hunter2"),
            ("A", f"${{{{a}}}}AccountKey={KEY}${{{{b}}}}"),
            ("A", "https://v.vault.azure.net/?sig=" + "a" * 30),
            ("A", "@Microsoft.KeyVault(ghp_" + "a" * 36 + ")"),
            ("A", f"{KEY} "),
            ("A", "SIG=" + "a" * 30),
            ("PIP_INDEX_URL", "https://me:s3cret@host/simple"),
            ("A", "git+https://" + "t" * 40 + "@host/lib"),
            ("A", "glpat-" + "a" * 20),
            ("A", "hf_" + "a" * 34),
            ("A", "https://hooks.slack.com/services/T0/B0/abc"),
            ("A", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
            ("ghp_" + "a" * 36, "x"),
        )
    ),
    ("plain-secret", ENDPOINT, {"rollout": {"checks": {"command": ["check", "--token", "ghp_" + "a" * 36]}}}),
    ("plain-secret", ENVIRONMENT, built("Secret")),
    ("plain-secret", ENVIRONMENT, {"files": {"image/requirements-secret.txt": "hash"}}),
    ("plain-secret", CONFIGURATION, {"app:dbPassword": 12345678}),
    ("plain-secret", CONFIGURATION, {"app:db": {"password": [["hunter2hunter2"]]}}),
    *(
        ("unchecked-resource", type_, {})
        for type_ in (
            "azure-native:resources:Deployment",
            "azure-native:resources:DeploymentStackAtSubscription",
            "azure:storage/account:Account",
            "azapi:resources:Resource",
            "azurerm:index/containerRegistry:ContainerRegistry",
            "azure-native:machinelearningservices:OnlineDeployment",
        )
    ),
]

# What looks like a way around a rule, and is none.
HARMLESS: list[tuple[str, str, dict[str, Any]]] = [
    ("node-remote-login", COMPUTE, cluster(enableNodePublicIp=False)),
    ("node-remote-login", COMPUTE, {"properties": {"computeType": "Kubernetes"}}),
    (
        "privileged-role",
        ASSIGNMENT,
        {"roleDefinitionId": f"{ROLES}/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalType": UNKNOWN},
    ),
    (
        "privileged-role",
        "azure-native:authorization:RoleDefinition",
        {
            "permissions": [
                {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/write"]},
                {"actions": ["*/read"]},
            ]
        },
    ),
    (
        "public-network-access",
        STORAGE,
        {"networkRuleSet": {"defaultAction": "Deny", "ipRules": [{"iPAddressOrRange": "20.0.0.0/8"}]}},
    ),
    ("machine-size", "azureml:Component", {"definition": {"resources": {"instance_type": "gpu-large"}}}),
    (
        "pinned-packages",
        ENVIRONMENT,
        conda(
            "numpy==2.4.6=py313_0",
            "numpy 2.4",
            "conda-forge::pip",
            {"pip": ["a[b]==1; python_version > '3'", "a===1", "lib @ git+https://h/l@" + "a" * 40]},
        ),
    ),
    ("pinned-packages", ENVIRONMENT, built("Fixed")),
    ("pinned-image", ENVIRONMENT, {"definition": {"image": f"base:latest@sha256:{'a' * 64}"}}),
    ("plain-secret", CONFIGURATION, {"app:maxTokens": 4096, "app:password": 0, "app:path": "a/b", "app:pass": True}),
    (
        "plain-secret",
        ENDPOINT,
        serving(
            environment_variables={"URL": "https://host/a:b@c", "A": "sha512-" + KEY, "PASSWORD": "${{secrets.a}}"}
        ),
    ),
]

FILES = {
    "Floating": "FROM --platform=linux/amd64 mcr.microsoft.com/base AS build\nFROM build\n",
    "Pinned": "ARG TAG=1\nFROM mcr.microsoft.com/base:$TAG AS build\nFROM build\nFROM scratch\nFROM base@sha256:0\n",
    "conda.yml": "dependencies: [python=3.11, {pip: [pandas]}]\n",
    "requirements.txt": "# our packages\nnumpy==2.4.6\npandas  # the newest\n",
    **BYPASSING,
    **FLOATING,
    "Fixed": FIXED,
    "wanted.txt": "numpy\n",
    "conda-nested.yml": "dependencies: [{pip: [-r requirements.txt]}]\n",
    "requirements-nested.txt": "-r requirements.txt\n",
    "requirements-secret.txt": "--index-url https://me:s3cret@host/simple\n",
    "Secret": f"FROM base:1\nENV CONNECTION='AccountKey={KEY}'\n",
    "requirements-locked.txt": "numpy==2.4.6 \\\n    --hash=sha256:0\n-r other.txt\nlib @ file:///lib.whl\n",
}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "image").mkdir()
    for name, text in FILES.items():
        (tmp_path / "image" / name).write_text(text)
    return Scene(Place("dev", tmp_path), Environment(stacks=["*"]))


def problems(rule: str, resource: Resource, scene: Scene) -> list[str]:
    assert RULES[rule].covers(resource.type)
    return list(RULES[rule].check(resource, scene))


@pytest.mark.parametrize(("rule", "type_", "breaks", "fits"), CASES)
def test_a_rule_finds_what_breaks_it_and_nothing_else(
    rule: str, type_: str, breaks: dict[str, Any], fits: dict[str, Any], scene: Scene
) -> None:
    assert len(problems(rule, Resource(type_, "broken", breaks), scene)) == 1
    assert problems(rule, Resource(type_, "fitting", fits), scene) == []


@pytest.mark.attack
@pytest.mark.parametrize(("rule", "type_", "inputs"), BYPASSES)
def test_no_other_spelling_gets_around_a_rule(rule: str, type_: str, inputs: dict[str, Any], scene: Scene) -> None:
    assert len(problems(rule, Resource(type_, "hostile", inputs), scene)) == 1


@pytest.mark.attack
@pytest.mark.parametrize(("rule", "type_", "inputs"), [each[:3] for each in (*CASES, *BYPASSES)])
def test_no_value_is_hidden_from_a_rule_as_a_secret(
    rule: str, type_: str, inputs: dict[str, Any], scene: Scene
) -> None:
    """The engine gives a text in place of a Pulumi secret, which Azure gets."""
    if not type_.startswith("azure-native:"):
        return  # what is in an asset is not hidden from those who read it
    policy = Policy(scene.place, Environment(stacks=["*"], production=True, levels={rule: "mandatory"}), (), date.max)
    for hidden in _with_a_secret(inputs):
        found = policy.of_resource(Resource(type_, "hostile", hidden), ())
        assert rule in {each.rule for each in found}, hidden


def _with_a_secret(value: Any) -> Iterator[Any]:
    """Yield a value with each of its parts replaced by a secret."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        for hidden in (SECRET, *_with_a_secret(each)):
            new = value.copy()
            new[key] = hidden
            yield new


@pytest.mark.parametrize("path", ["image", "build.path", "conda_file.dependencies", "resources.instance_count"])
def test_a_secret_in_an_asset_that_a_rule_needs_is_a_finding(path: str, scene: Scene) -> None:
    *outer, last = path.split(".")
    definition: dict[str, Any] = {last: SECRET}
    for key in reversed(outer):
        definition = {key: definition}
    type_ = "azureml:Component" if "resources" in path else ENVIRONMENT
    policy = Policy(scene.place, scene.environment, (), date.max)
    (found, *_) = policy.of_resource(Resource(type_, "hostile", {"definition": definition}))
    assert found.problem.endswith(f"{last} is a Pulumi secret, so the rule cannot read it")


@pytest.mark.parametrize(("rule", "type_", "inputs"), HARMLESS)
def test_a_rule_finds_nothing_in_what_only_looks_like_it(
    rule: str, type_: str, inputs: dict[str, Any], scene: Scene
) -> None:
    assert problems(rule, Resource(type_, "harmless", inputs), scene) == []


@pytest.mark.parametrize(
    "token",
    [
        "azure-native:storage:StorageAccount",
        "azure-native:storage/v20240101preview:StorageAccount",
        "azure-native_storage_v20240101:storage:StorageAccount",
    ],
)
def test_a_type_is_the_same_in_each_version(token: str) -> None:
    assert short_type(token) == STORAGE


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
    # Only the type of a resource breaks the last one.
    alone = {"protected", "diagnostic-settings", "unchecked-resource"}
    assert {rule for rule, *_ in CASES} | alone == set(RULES)


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


@pytest.mark.attack
@pytest.mark.parametrize("path", ["../private.txt", "{}/private.txt", "/dev/zero", "link.txt", "pipe.txt"])
def test_a_rule_reads_no_file_that_is_not_of_the_project(path: str, tmp_path: Path) -> None:
    """It shows lines of what it reads, and a comment repeats them."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "private.txt").write_text("private\n")
    (project / "link.txt").symlink_to(tmp_path / "private.txt")
    os.mkfifo(project / "pipe.txt")
    (project / "requirements.txt").write_text(f"-r {path.format(tmp_path)}\nnumpy\n")
    scene = Scene(Place("dev", project), Environment(stacks=["*"]))
    resource = Resource(ENVIRONMENT, "hostile", {"definition": {}, "files": {"requirements.txt": "hash"}})
    assert problems("pinned-packages", resource, scene) == ["requirements.txt: numpy has no version"]


def test_the_files_of_an_asset_are_beside_the_program(tmp_path: Path) -> None:
    """A stack of the local Azure has a project folder of its own."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.yaml").write_text("name: app\nmain: ../\n")
    (tmp_path / "requirements.txt").write_text("numpy\n")
    scene = Scene(Place("dev", tmp_path / "stacks"), Environment(stacks=["*"]))
    resource = Resource(ENVIRONMENT, "image", {"definition": {}, "files": {"requirements.txt": "hash"}})
    assert problems("pinned-packages", resource, scene) == ["requirements.txt: numpy has no version"]
